"""Cut a layer into chunks: copies of a base on the node, patches against it, and plain data."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

CHUNK_BYTES = 16 << 20
# A patch of 8 MiB against 16 MiB of the base takes the node 28 MB of memory.
_PATCHED = 8 << 20
_WINDOW = 16 << 20
_LEAST_AROUND, _MOST_AROUND = 256 << 10, 4 << 20
_STEP = 1 << 20
# Shorter copies save nothing compared with a patch.
_SHORTEST_COPY = 4096

Kind = Literal["plain", "patch", "copy"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A range of a layer (`at`, `length`) and, unless plain, of its base (`start`, `count`)."""

    kind: Kind
    at: int
    length: int
    start: int = 0
    count: int = 0


class Bytes(Protocol):
    """Bytes that can be sliced: in memory or in a file."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class FileBytes:
    """The bytes of a file, read on demand; a memory-mapped file would count as memory."""

    descriptor: int
    size: int

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self.size)
        return os.pread(self.descriptor, max(0, stop - start), start)


@contextmanager
def open_bytes(file: Path) -> Iterator[FileBytes]:
    """Open a file for slicing."""
    with file.open("rb") as stream:
        yield FileBytes(stream.fileno(), file.stat().st_size)


def cut_chunks(new: Bytes, base: Bytes, *, at: int = 0) -> Iterator[Chunk]:
    """Cut a layer into chunks, starting at `at`; without a base all are plain."""
    if not len(base):
        for start, length in _steps(at, len(new), CHUNK_BYTES):
            yield Chunk("plain", start, length)
        return
    head, tail = _common_ends(new, base)
    if at < head:
        yield Chunk("copy", at, head - at, at, head - at)
        at = head
    end = len(new) - tail
    for start, length in _steps(at, end, _PATCHED):
        yield _patch(start, length, (head, end, len(base) - tail), len(base))
    at = max(at, end)
    if at < len(new):
        yield Chunk("copy", at, len(new) - at, len(base) - len(new) + at, len(new) - at)


def _steps(at: int, end: int, length: int) -> Iterator[tuple[int, int]]:
    for start in range(at, end, length):
        yield start, min(length, end - start)


def _common_ends(new: Bytes, base: Bytes) -> tuple[int, int]:
    head = common_head(new, base)
    tail = common_tail(new, base, limit=min(len(new), len(base)) - head)
    return head if head >= _SHORTEST_COPY else 0, tail if tail >= _SHORTEST_COPY else 0


def _patch(at: int, length: int, middle: tuple[int, int, int], size: int) -> Chunk:
    """Choose the range of the base for a patch.

    Between the common head and tail, offsets shift as the layer grows or shrinks: use the
    proportional offset, with a margin on both sides as long as the chunk.
    """
    head, end, base_end = middle
    around = head + (at - head) * (base_end - head) // (end - head)
    beyond = head + (at + length - head) * (base_end - head) // (end - head)
    margin = min(_MOST_AROUND, max(_LEAST_AROUND, length))
    start = max(0, around - margin)
    return Chunk("patch", at, length, start, min(_WINDOW, size - start, beyond + margin - start))


def common_head(one: Bytes, other: Bytes) -> int:
    """Return the length of the common prefix."""
    limit = min(len(one), len(other))
    return _common(limit, lambda at, end: one[at:end] == other[at:end])


def common_tail(one: Bytes, other: Bytes, *, limit: int) -> int:
    """Return the length of the common suffix, up to a limit."""
    mine, others = len(one), len(other)
    return _common(
        limit, lambda at, end: one[mine - end : mine - at] == other[others - end : others - at]
    )


def _common(limit: int, is_same: Callable[[int, int], bool]) -> int:
    """Find how far two layers are the same, by ever smaller steps."""
    at, step = 0, _STEP
    while step:
        while at + step <= limit and is_same(at, at + step):
            at += step
        step //= 2
    return at
