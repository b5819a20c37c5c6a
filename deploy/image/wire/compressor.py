"""Compressing the pieces of layers, a few ahead, each once for all nodes that it goes to."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from threading import Lock

from deploy.image.layers.cache import Cache
from deploy.image.wire.chunks import Piece
from deploy.image.wire.compress import Job, Packed, pack
from deploy.image.wire.level import Pace

# A patch of a piece takes 90 MB of memory here; four at once keep within half a gigabyte.
_WORKERS = min(os.cpu_count() or 1, 4)
# What waits to be sent lies on disk.
_AHEAD = _WORKERS + 1


class Press:
    """Makes the compressed pieces of one image, for one node or for several."""

    def __init__(self, cache: Cache, *, nodes: int) -> None:
        self._cache, self._shared = cache, nodes > 1
        self._alone = Lock()
        self._made: dict[tuple[str, str, Piece], Future[Packed]] = {}
        self._stack = ExitStack()
        self._place: Path | None = None
        self._begun_near = False
        self._numbers = iter(range(1 << 62))
        self._pool = ThreadPoolExecutor(_WORKERS)

    def close(self) -> None:
        """End what is under way, and remove what was made."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def begin(self, job: Job, pieces: Iterable[Piece]) -> None:
        """Start on the first pieces, which somebody near will most probably ask for."""
        self._begun_near = True
        for piece in islice(pieces, _AHEAD):
            self._packed(job, piece, Pace(round_trip=lambda: 0.0))

    def in_order(self, job: Job, pieces: Iterable[Piece], pace: Pace) -> Iterator[Packed]:
        """Give the pieces compressed, while some more are being worked on, and no more than some.

        Raises:
            DeployError: when the layer cannot be read.
        """
        waiting: deque[tuple[Piece, Future[Packed]]] = deque()
        if self._begun_near and not pace.near:
            self._begun_near = False
            self.forget()
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

    def sent(self, packed: Packed) -> None:
        """Let go of a piece's bytes, unless another node may ask for them."""
        if packed.file and not self._shared:
            packed.file.unlink()

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

    def _packed(self, job: Job, piece: Piece, pace: Pace) -> Future[Packed]:
        if (level := job.level_of(piece)) is not None:
            return self._pool.submit(pack, job, piece, level, self._file)
        key = (job.diff_id, job.base_id, piece)
        with self._alone:
            if key not in self._made:
                self._made[key] = self._pool.submit(self._at_pace, job, piece, pace)
            return self._made[key]

    def _forget(self, job: Job, piece: Piece) -> None:
        with self._alone:
            self._made.pop((job.diff_id, job.base_id, piece), None)

    def _at_pace(self, job: Job, piece: Piece, pace: Pace) -> Packed:
        """Choose the level as late as can be: the pace is known better then."""
        return pack(job, piece, pace.level, self._file)

    def _file(self) -> Path:
        with self._alone:
            if self._place is None:
                self._place = self._stack.enter_context(self._cache.workplace())
            return self._place / str(next(self._numbers))
