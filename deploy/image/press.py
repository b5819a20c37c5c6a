"""Compressing the pieces of layers, a few ahead, each once for all nodes that it goes to."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock

from deploy.image.cache import Cache
from deploy.image.content import hex_of
from deploy.image.pace import Pace
from deploy.image.pieces import Bytes, Piece
from deploy.image.program import compress

# A patch of a piece takes 90 MB of memory here; four at once keep within half a gigabyte.
_WORKERS = min(os.cpu_count() or 1, 4)
# What waits to be sent lies on disk.
_AHEAD = _WORKERS + 1
# Above this share of a piece, a patch is compared with the piece for itself.
_POOR = 0.1


@dataclass(frozen=True, slots=True)
class Job:
    """A layer to be compressed, and its base if any; `begun` names a piece that was cut short."""

    diff_id: str
    new: Bytes
    base_id: str = ""
    old: Bytes = b""
    begun: str = ""


@dataclass(frozen=True, slots=True)
class Packed:
    """A piece with the file of its compressed bytes, and the key that stands for these bytes."""

    piece: Piece
    file: Path | None
    key: str

    @property
    def size(self) -> int:
        """Count the compressed bytes."""
        return self.file.stat().st_size if self.file else 0


class Press:
    """Makes the compressed pieces of one image, for one node or for several."""

    def __init__(self, cache: Cache, *, nodes: int) -> None:
        self._cache, self._shared = cache, nodes > 1
        self._alone = Lock()
        self._made: dict[tuple[str, str, Piece], Future[Packed]] = {}
        self._stack = ExitStack()
        self._place: Path | None = None
        self._numbers = iter(range(1 << 62))
        self._pool = ThreadPoolExecutor(_WORKERS)

    def close(self) -> None:
        """End what is under way, and remove what was made."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def begin(self, job: Job, pieces: Iterable[Piece]) -> None:
        """Start on the first pieces, which somebody will most probably ask for."""
        for piece in islice(pieces, _AHEAD):
            self._packed(job, piece, Pace())

    def in_order(self, job: Job, pieces: Iterable[Piece], pace: Pace) -> Iterator[Packed]:
        """Give the pieces compressed, while some more are being worked on, and no more than some.

        Raises:
            DeployError: when the layer cannot be read.
        """
        waiting: deque[tuple[Piece, Future[Packed]]] = deque()
        try:
            for piece in pieces:
                waiting.append((piece, self._packed(job, piece, pace)))
                if len(waiting) > _AHEAD:
                    yield self._next(job, waiting)
            while waiting:
                yield self._next(job, waiting)
        finally:
            # The layers must not be closed under a piece that is still being worked on.
            for piece, future in waiting:
                if self._shared or not future.cancel():
                    future.exception()
                else:
                    self._forget(job, piece)

    def forget(self) -> None:
        """Make everything anew that is asked for again."""
        with self._alone:
            self._made = {}

    def _next(self, job: Job, waiting: deque[tuple[Piece, Future[Packed]]]) -> Packed:
        piece, future = waiting.popleft()
        try:
            return future.result()
        finally:
            if not self._shared:
                self._forget(job, piece)

    def sent(self, packed: Packed) -> None:
        """Let go of a piece's bytes, unless another node may ask for them."""
        if packed.file and not self._shared:
            packed.file.unlink()

    def _packed(self, job: Job, piece: Piece, pace: Pace) -> Future[Packed]:
        if (level := _begun(job, piece)) is not None:
            return self._pool.submit(self._work, job, piece, level)
        key = (job.diff_id, job.base_id, piece)
        with self._alone:
            if key not in self._made:
                self._made[key] = self._pool.submit(self._at_pace, job, piece, pace)
            return self._made[key]

    def _forget(self, job: Job, piece: Piece) -> None:
        with self._alone:
            self._made.pop((job.diff_id, job.base_id, piece), None)

    def _at_pace(self, job: Job, piece: Piece, pace: Pace) -> Packed:
        return self._work(job, piece, pace.level)

    def _work(self, job: Job, piece: Piece, level: int) -> Packed:
        """Compress a piece, as a patch when that is smaller; a copy has no bytes."""
        if piece.kind == "copy":
            return Packed(piece, None, "")
        if piece.kind == "plain":
            return self._compressed(job, piece, level)
        patched = self._compressed(job, piece, level)
        if patched.size <= piece.length * _POOR:
            return patched
        plain = self._compressed(job, _plain(piece), level)
        worse = patched if plain.size < patched.size else plain
        if worse.file:
            worse.file.unlink()
        return plain if worse is patched else patched

    def _compressed(self, job: Job, piece: Piece, level: int) -> Packed:
        out = self._file()
        like = None
        if piece.kind == "patch":
            like = out.with_suffix(".old")
            like.write_bytes(job.old[piece.start : piece.start + piece.count])
        compress(job.new[piece.at : piece.at + piece.length], out, level=level, like=like)
        if like:
            like.unlink()
        return Packed(piece, out, _key(job.diff_id, piece, level))

    def _file(self) -> Path:
        with self._alone:
            if self._place is None:
                self._place = self._stack.enter_context(self._cache.workplace())
            return self._place / str(next(self._numbers))


def _plain(piece: Piece) -> Piece:
    return Piece("plain", piece.at, piece.length)


def _begun(job: Job, piece: Piece) -> int | None:
    """Find the level of a piece that a cut transfer began, where it is cut as it was then."""
    stem, _, level = job.begun.rpartition("-")
    begun = {_key(job.diff_id, piece, 0), _key(job.diff_id, _plain(piece), 0)}
    return int(level) if f"{stem}-0" in begun and level.isdigit() else None


def _key(diff_id: str, piece: Piece, level: int) -> str:
    """Name a piece so that the same name means the same bytes, with the same zstd."""
    parts = (hex_of(diff_id), piece.kind, piece.at, piece.length, piece.start, piece.count, level)
    return "-".join(str(part) for part in parts)
