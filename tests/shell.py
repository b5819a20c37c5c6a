"""Which words of a shell script stand where a program's name stands; enough of bash for ours."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

# After these a command begins, as it does after `;`, `|` and a new line.
_GRAMMAR = frozenset(
    ("if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "{", "}")
)
# Programs that start the program they are given.
_STARTERS = frozenset(
    ("command", "coproc", "env", "exec", "nice", "nohup", "sudo", "timeout", "xargs")
)
# Programs whose options belong to a verb, of one word or two.
_WITH_VERBS = frozenset(("podman", "skopeo"))
_VERB = re.compile(r"[a-z]+")
_OPTION = re.compile(r"--[a-z][a-z-]*(?==|$)")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\[[^\]]*\])?\+?=")
_REDIRECTION = re.compile(r"(\d*|&)(<<<|<<-?|<>|>>|>\||>&|<&|&>>|&>|<|>)")
# What may stand between such a program and the one it starts.
_PREFIX = re.compile(rf"-|{_ASSIGNMENT.pattern}|((\d+|\$\{{\w+\}})[smhd]|\d+)$")


def programs(script: str) -> Iterator[str]:
    """Name what the script starts; `$name` where a variable is started."""
    yield from (words[0] for words in _Scanner(script).commands(""))


def options(script: str) -> Iterator[tuple[str, str]]:
    """Name each long option that the script gives a program, after the program and its verb.

    A verb is named as well.
    """
    for words in _Scanner(script).commands(""):
        verbs = itertools.takewhile(_VERB.fullmatch, words[1:3] if words[0] in _WITH_VERBS else ())
        asked = " ".join((words[0], *verbs))
        if asked != words[0]:
            yield asked, asked
        given = itertools.takewhile(lambda word: word != "--", words)
        if asked == "podman exec":  # what follows the container belongs to the program in it
            given = itertools.takewhile(lambda word: word.startswith("-"), words[2:])
        for word in given:
            if option := _OPTION.match(word):
                yield asked, option[0]


def functions(script: str) -> set[str]:
    """Name the functions that the script defines."""
    return set(re.findall(r"^\s*([A-Za-z_]\w*)\(\)", script, re.MULTILINE))


@dataclass
class _Scanner:
    text: str
    at: int = 0
    found: list[list[str]] = field(default_factory=list)

    def commands(self, end: str) -> list[list[str]]:
        """Read commands up to the bracket that ends them."""
        words: list[str] = []
        while self.at < len(self.text) and not (end and self.text.startswith(end, self.at)):
            if self._skipped_space():
                continue
            if words[:1] == ["[["] and words[-1] != "]]":
                words = [*words, self._word(until=" \t\n;")]
                if words[-1] != "]]":
                    self._skip_lines()
            elif self.text[self.at] in "\n;|&()":
                self._separator(words)
                words = []
            elif match := _REDIRECTION.match(self.text, self.at):
                self.at = match.end()
                self._redirection(match[2])
            else:
                words = self._without_grammar([*words, self._word()])
        self.found += _started(words)
        self.at += len(end)
        return self.found

    def _skipped_space(self) -> bool:
        if self.text.startswith("\\\n", self.at):
            self.at += 2
        elif self.text[self.at] in " \t":
            self.at += 1
        elif self.text[self.at] == "#":
            self.at = (self.text + "\n").index("\n", self.at)
        else:
            return False
        return True

    def _separator(self, words: list[str]) -> None:
        if words and self.text.startswith("()", self.at):  # a function is defined
            self.at += 2
            return
        self.found += _started(words)
        case = self.text.startswith((";;", ";&"), self.at)
        self.at += 2 if case else 1
        if case:
            self._pattern()

    def _without_grammar(self, words: list[str]) -> list[str]:
        if words[0] == "case" and words[-1] == "in":
            self._pattern()
            return []
        if words[0] in {"for", "select"}:
            return [] if words[-1] == "do" else words
        if words[0] in _GRAMMAR or _ASSIGNMENT.match(words[0]):
            return []
        return words

    def _pattern(self) -> None:
        """Pass over a pattern of `case`, unless its end is here."""
        match = re.compile(r"\s*(?!\s|esac\b)[^)]*\)").match(self.text, self.at)
        self.at = match.end() if match else self.at

    def _redirection(self, sign: str) -> None:
        if sign.startswith("<<") and sign != "<<<":
            raise NotImplementedError("here-documents are not read yet: teach tests/shell.py")
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        if self.text.startswith("(", self.at):  # a process substitution
            self.at += 1
            self._inner(")")
        else:
            self._word()

    def _word(self, until: str = " \t\n;|&()<>") -> str:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] not in until:
            self._piece()
        if self.text[self.at : self.at + 1] == "(" and self.text[self.at - 1] == "=":
            self._array()
        return self.text[start : self.at].replace('"', "").replace("'", "").replace("\\\n", "")

    def _array(self) -> None:
        self.at += 1
        self._skip_lines()
        while self.text[self.at] != ")":
            self._word()
            self._skip_lines()
        self.at += 1

    def _skip_lines(self) -> None:
        """Pass over space and the ends of lines."""
        while self.at < len(self.text) and (self._skipped_space() or self.text[self.at] == "\n"):
            self.at += self.text[self.at : self.at + 1] == "\n"

    def _piece(self) -> None:
        if self.text[self.at] == "\\":
            self.at += 2
        elif self.text[self.at] == "'":
            self.at = self.text.index("'", self.at + 1) + 1
        elif self.text[self.at] == '"':
            self.at += 1
            while self.text[self.at] != '"':
                self._quoted()
            self.at += 1
        else:
            self._quoted()

    def _quoted(self) -> None:
        if self.text.startswith("$((", self.at):
            self._arithmetic()
        elif self.text.startswith("$(", self.at):
            self.at += 2
            self._inner(")")
        elif self.text.startswith("${", self.at):
            self.at += 2
            while self.text[self.at] != "}":
                self._piece()
            self.at += 1
        else:
            self.at += 2 if self.text[self.at] == "\\" else 1

    def _arithmetic(self) -> None:
        self.at += 3
        depth = 2
        while depth:
            depth += {"(": 1, ")": -1}.get(self.text[self.at], 0)
            self.at += 1

    def _inner(self, end: str) -> None:
        inner = _Scanner(self.text, self.at)
        self.found += inner.commands(end)
        self.at = inner.at


def _started(words: list[str]) -> Iterator[list[str]]:
    """Cut a command before the one that it starts, and so on."""
    if not words or words[0] in {"for", "select"}:
        return
    at = len(words)
    if words[0] in _STARTERS and not (words[0] == "command" and "-v" in words[1:2]):
        at = next((at for at in range(1, at) if not _PREFIX.match(words[at])), at)
    yield words[:at]
    yield from _started(words[at:])
