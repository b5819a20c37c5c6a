"""A layer cut into pieces: what the node can copy from a layer it has, patches, and the rest."""

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# 16 MiB of a layer, against 32 MiB around the same place: a patch takes the node 54 MB of memory.
PIECE = 16 << 20
_BEFORE, _WINDOW = 8 << 20, 32 << 20
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


@contextmanager
def mapped(file: Path) -> Iterator[memoryview]:
    """Give a file's bytes without reading them all into memory."""
    if not file.stat().st_size:
        yield memoryview(b"")
        return
    with (
        file.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
        memoryview(content) as view,
    ):
        yield view


def cut(new: memoryview, base: memoryview, *, at: int = 0) -> Iterator[Piece]:
    """Cut a layer from `at` on; without a base every piece is plain."""
    if not len(base):
        yield from _middle("plain", at, len(new), 0, 0)
        return
    head = common_head(new, base)
    tail = common_tail(new[head:], base[head:])
    if at < head and head >= _SHORTEST_COPY:
        yield Piece("copy", at, head - at, at, head - at)
        at = head
    end = len(new) - tail if tail >= _SHORTEST_COPY else len(new)
    yield from _middle("patch", at, end, len(new), len(base))
    if tail >= _SHORTEST_COPY:
        begin = max(at, end)
        count = len(new) - begin
        if count:
            yield Piece("copy", begin, count, len(base) - count, count)


def _middle(kind: Kind, at: int, end: int, size: int, base_size: int) -> Iterator[Piece]:
    while at < end:
        length = min(PIECE, end - at)
        if kind == "patch":
            # Bytes move as the layer grows or shrinks: look in proportion, not at the same place.
            around = at * base_size // size
            start = max(0, min(around - _BEFORE, base_size - _WINDOW))
            yield Piece(kind, at, length, start, min(_WINDOW, base_size - start))
        else:
            yield Piece(kind, at, length)
        at += length


def common_head(one: memoryview, other: memoryview) -> int:
    """Count the bytes that two have in common from the start."""
    limit = min(len(one), len(other))
    at, step = 0, _STEP
    while step:
        while at + step <= limit and one[at : at + step] == other[at : at + step]:
            at += step
        step //= 2
    return at


def common_tail(one: memoryview, other: memoryview) -> int:
    """Count the bytes that two have in common before the end."""
    limit = min(len(one), len(other))
    at, step = 0, _STEP
    while step:
        while at + step <= limit and _before(one, at, step) == _before(other, at, step):
            at += step
        step //= 2
    return at


def _before(view: memoryview, at: int, count: int) -> memoryview:
    end = len(view) - at
    return view[end - count : end]
