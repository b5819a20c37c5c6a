"""A delta cut into pieces: each is compared with the old files that its own files resemble."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deploy.image.delta import Mark
from deploy.image.pieces import PIECE, Bytes, Piece

_WINDOW = 32 << 20
# Content moves within a file; this much around the same place is looked at as well.
_AROUND = 1 << 20


@dataclass(frozen=True, slots=True)
class ByFile:
    """Cut a delta; `marks` say where its files and their likes begin."""

    marks: Sequence[Mark]

    def __call__(self, new: Bytes, base: Bytes, *, at: int = 0) -> Iterator[Piece]:
        """Cut from `at` on."""
        for start in range(at, len(new), PIECE):
            length = min(PIECE, len(new) - start)
            first, last = self._range(start, start + length, len(base))
            if first < last:
                yield Piece("patch", start, length, first, min(_WINDOW, last - first))
            else:
                yield Piece("plain", start, length)

    def _range(self, start: int, end: int, most: int) -> tuple[int, int]:
        ranges = [
            _resembled(mark, start, end)
            for mark in self.marks
            if mark.old_size and mark.at < end and start < mark.at + mark.size
        ]
        if not ranges:
            return 0, 0
        return max(0, min(one for one, _ in ranges)), min(most, max(one for _, one in ranges))


def _resembled(mark: Mark, start: int, end: int) -> tuple[int, int]:
    """Say which bytes of the likes a part of a file resembles; all of a small one."""
    if mark.size + mark.old_size <= 2 * _AROUND:
        return mark.old, mark.old + mark.old_size
    first = max(0, start - mark.at) * mark.old_size // mark.size - _AROUND
    last = min(mark.size, end - mark.at) * mark.old_size // mark.size + _AROUND
    return mark.old + max(0, first), mark.old + min(mark.old_size, last)
