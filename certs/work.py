"""Bound the work that opening a file with a password takes, before any of it is done."""

from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from certs.errors import CertError

MOST_ROUNDS = 5_000_000  # a second or two; a forged file could name a count that takes hours
_DEEPEST = 32
_CONSTRUCTED, _LONG_TAG, _MORE = 0x20, 0x1F, 0x80
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30
_END = b"\0\0"
_SCRYPT_FACTORS = 3


class _Element(NamedTuple):
    tag: int
    content: bytes
    end: int


def check_work(data: bytes, *, source: str) -> None:
    """Refuse an encrypted key or PKCS#12 file whose key derivations take too many rounds.

    Rounds of PBKDF2, PBES1, PKCS#12 and its MAC, and the factors of scrypt all stand behind a salt.
    They are found by that, in DER and BER alike. What is neither is left to the file's reader.

    Raises:
        CertError: with the sum of all rounds, or for a file of too many levels.
    """
    found = _Reader(source)
    with suppress(IndexError):
        found.element(data, 0, 0)
    asked = sum(found.rounds)
    if asked > MOST_ROUNDS or any(one < 1 for one in found.rounds):
        raise CertError(
            f"{source}: {asked} rounds of key derivation; from 1 to {MOST_ROUNDS} are taken",
            "restore the file, or export it again with fewer rounds",
        )


@dataclass
class _Reader:
    """Reads BER elements and collects rounds; an IndexError says that the data is damaged."""

    source: str
    rounds: list[int] = field(default_factory=list)

    def element(self, data: bytes, at: int, depth: int, *, part: bool = False) -> _Element:
        """Read the element at a place, and all in it. BER makes a string of several parts."""
        if depth > _DEEPEST:
            raise CertError(f"{self.source}: nested too deeply for a key", "export it again")
        tag, at, end = _header(data, at)
        string = tag & ~_CONSTRUCTED == _OCTETS
        if not tag & _CONSTRUCTED:
            found = _Element(tag, data[at:end], end or 0)
        else:
            children, end = self._children(data, at, end, depth, parts=string)
            if tag == _SEQUENCE:
                self.rounds += _rounds(children)
            found = _Element(tag, b"".join(one.content for one in children), end)
        if not string:
            return found
        if not part:
            with suppress(IndexError):
                self.element(found.content, 0, depth + 1)
        return found._replace(tag=_OCTETS)

    def _children(
        self, data: bytes, at: int, end: int | None, depth: int, *, parts: bool
    ) -> tuple[list[_Element], int]:
        children: list[_Element] = []
        while data[at : at + 2] != _END if end is None else at < end:
            children.append(self.element(data, at, depth + 1, part=parts))
            at = children[-1].end
        return children, at + len(_END) if end is None else end


def _header(data: bytes, at: int) -> tuple[int, int, int | None]:
    """Read a tag and a length: the tag, where the content begins, and where it ends if known."""
    tag, at = data[at], at + 1
    if tag & _LONG_TAG == _LONG_TAG:
        while data[at] & _MORE:
            at += 1
        at += 1
    length, at = data[at], at + 1
    if length == _MORE and tag & _CONSTRUCTED:
        return tag, at, None
    if length & _MORE:
        size = length & ~_MORE
        length, at = int.from_bytes(data[at : at + size]), at + size
    if at + length > len(data):
        raise IndexError(at)
    return tag, at, at + length


def _rounds(elements: list[_Element]) -> list[int]:
    """Find the rounds in a sequence that begins with a salt, or with a digest and a salt."""
    if elements and elements[0].tag == _SEQUENCE:
        elements = elements[1:]
    tags = [one.tag for one in elements]
    if tags[:2] != [_OCTETS, _INTEGER]:
        return []
    factors = [int.from_bytes(one.content, signed=True) for one in elements[1:4]]
    return [prod(factors)] if tags[1:4] == [_INTEGER] * _SCRYPT_FACTORS else factors[:1]
