"""The sections of a unit file, or why it cannot be parsed, by go-systemd's rules."""

from dataclasses import dataclass, field

from butane.errors import ButaneError

_LINE_LIMIT = 2048
_BUFFER = 4096
_NOT_ASCII = 0x80
_WIDEST = 4
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


def read_sections(text: str) -> set[str]:
    """Name the sections that hold an option; raise `ButaneError` when the text is not a unit."""
    return _Reader(text.encode("utf-8", "surrogateescape")).read()


@dataclass(slots=True)
class _Reader:
    """Reads a unit step by step.

    The original refuses a line by what its 4096 byte buffer holds before a step, so `_filled`
    keeps count of how far that buffer would reach.
    """

    _data: bytes
    _at: int = 0
    _filled: int = 0
    _section: str | None = None
    _found: set[str] = field(default_factory=set)

    def read(self) -> set[str]:
        """Read to the end."""
        while True:
            self._limit_line()
            before = self._at
            rune = self._rune()
            if not rune:
                return self._found
            if rune == "[":
                self._header()
            elif rune in "#;":
                self._comment()
            elif self._section is not None and rune not in _SPACE:
                self._at = before
                self._option()

    def _limit_line(self) -> None:
        if self._filled - self._at >= _LINE_LIMIT:
            ahead = self._data[self._at : self._at + _LINE_LIMIT]
            if b"\n" not in ahead and b"\r" not in ahead:
                raise _broken(f"line too long (max {_LINE_LIMIT} bytes)")

    def _header(self) -> None:
        self._limit_line()
        name = self._until(b"]")
        if not name.endswith(b"]"):
            raise _broken("unable to find end of section")
        self._section = _decode(name[:-1])
        self._limit_line()
        garbage = _decode(self._line()).strip(_SPACE)
        if garbage:
            raise _broken(f'found garbage after section name : "{garbage}"')

    def _comment(self) -> None:
        self._limit_line()
        while self._line().removesuffix(b" ").endswith(b"\\"):
            pass

    def _option(self) -> None:
        self._limit_line()
        while (rune := self._rune()) != "=":
            if not rune:
                raise _broken("EOF")
            if rune in "\r\n":
                raise _broken("unexpected newline encountered while parsing option name")
        continued = True
        while continued:
            self._limit_line()
            line = self._line()
            continued = bool(_decode(line).strip(_SPACE)) and line.endswith(b"\\")
        self._found.add(self._section or "")

    def _line(self) -> bytes:
        return self._until(b"\n").removesuffix(b"\r").removesuffix(b"\n")

    def _rune(self) -> str:
        """Read one character; empty at the end."""
        if self._at >= self._filled:
            self._fill()
        if self._at >= len(self._data):
            return ""
        width = 1
        if self._data[self._at] >= _NOT_ASCII:
            if self._filled - self._at < _WIDEST:
                self._fill()
            head = self._data[self._at : self._at + _WIDEST].decode("utf-8", "surrogateescape")[0]
            width = len(head.encode("utf-8", "surrogateescape"))
        self._at += width
        return _decode(self._data[self._at - width : self._at])

    def _until(self, mark: bytes) -> bytes:
        """Read up to and including a mark, or to the end."""
        start = self._at
        while True:
            place = self._data.find(mark, self._at, self._filled)
            if place >= 0:
                self._at = place + 1
                return self._data[start : self._at]
            if self._filled >= len(self._data):
                self._at = len(self._data)
                return self._data[start:]
            if self._filled - self._at >= _BUFFER:
                self._at = self._filled
            else:
                self._fill()

    def _fill(self) -> None:
        self._filled = min(len(self._data), self._at + _BUFFER)


def _decode(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _broken(reason: str) -> ButaneError:
    return ButaneError(f"invalid unit content: {reason}")
