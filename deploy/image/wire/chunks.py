"""A layer cut into pieces: what the node can copy from a layer it has, patches, and the rest."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

PIECE = 16 << 20
# 8 MiB of a layer against 16 MiB around the same place: a patch takes the node 28 MB of memory.
_PATCHED = 8 << 20
_WINDOW = 16 << 20
_LEAST_AROUND, _MOST_AROUND = 256 << 10, 4 << 20
_STEP = 1 << 20
# A copy of fewer bytes is no shorter than a patch.
_SHORTEST_COPY = 4096

Kind = Literal["plain", "patch", "copy"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `at`, `at + length` of a layer; `start` and `count` are a range of its base."""

    kind: Kind
    at: int
    length: int
    start: int = 0
    count: int = 0


class Bytes(Protocol):
    """Bytes of which parts can be had: in memory, or in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Stored:
    """The bytes of a file, read part by part: a mapped file would count as memory."""

    descriptor: int
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        return os.pread(self.descriptor, max(0, stop - start), start)


@contextmanager
def stored(file: Path) -> Iterator[Stored]:
    """Open a file's bytes."""
    with file.open("rb") as stream:
        yield Stored(stream.fileno(), file.stat().st_size)


def cut(new: Bytes, base: Bytes, *, at: int = 0) -> Iterator[Piece]:
    """Cut a layer from `at` on; without a base every piece is plain."""
    if not len(base):
        for start, length in _steps(at, len(new), PIECE):
            yield Piece("plain", start, length)
        return
    head, tail = _alike(new, base)
    if at < head:
        yield Piece("copy", at, head - at, at, head - at)
        at = head
    end = len(new) - tail
    for start, length in _steps(at, end, _PATCHED):
        yield _patch(start, length, (head, end, len(base) - tail), len(base))
    at = max(at, end)
    if at < len(new):
        yield Piece("copy", at, len(new) - at, len(base) - len(new) + at, len(new) - at)


def _steps(at: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    for start in range(at, end, length):
        yield start, min(length, end - start)


def _alike(new: Bytes, base: Bytes) -> tuple[int, int]:
    head = common_head(new, base)
    tail = common_tail(new, base, limit=min(len(new), len(base)) - head)
    return (
        head if head >= _SHORTEST_COPY else 0,
        tail if tail >= _SHORTEST_COPY else 0,
    )


def _patch(at: int, length: int, middle: tuple[int, int, int], size: int) -> Piece:
    """Choose the range of the base to compare a piece with.

    Between head and tail, bytes move as the layer grows or shrinks: look in proportion, not at the
    same place, and around it as far as the piece is long.
    """
    head, end, base_end = middle
    around = head + (at - head) * (base_end - head) // (end - head)
    beyond = head + (at + length - head) * (base_end - head) // (end - head)
    margin = min(_MOST_AROUND, max(_LEAST_AROUND, length))
    start = max(0, around - margin)
    return Piece("patch", at, length, start, min(_WINDOW, size - start, beyond + margin - start))


def common_head(one: Bytes, other: Bytes) -> int:
    """Count the bytes that two have in common from the start."""
    limit = min(len(one), len(other))
    at, step = 0, _STEP
    while step:
        while at + step <= limit and one[at : at + step] == other[at : at + step]:
            at += step
        step //= 2
    return at


def common_tail(one: Bytes, other: Bytes, *, limit: int) -> int:
    """Count the bytes that two have in common before the end, up to a limit."""
    at, step = 0, _STEP
    while step:
        while at + step <= limit and _before(one, at, step) == _before(other, at, step):
            at += step
        step //= 2
    return at


def _before(view: Bytes, at: int, count: int) -> bytes:
    end = len(view) - at
    return view[end - count : end]
