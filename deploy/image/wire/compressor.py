"""Compressing the pieces of layers, a few ahead, each once for all nodes that it goes to."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from threading import Lock

from deploy.image.layers.cache import Cache
from deploy.image.plan.sending import LIGHT, is_fast
from deploy.image.wire.chunks import Piece
from deploy.image.wire.compress import Job, Packed, Packing, pack
from deploy.image.wire.level import CORES, Pace

# What waits to be sent lies on disk.
_AHEAD = CORES + 1


class Press:
    """Makes the compressed pieces of one image, for one node or for several."""

    def __init__(self, cache: Cache, *, nodes: int) -> None:
        self._cache, self._shared = cache, nodes > 1
        self._alone = Lock()
        self._made: dict[tuple[str, str, Piece], Future[Packed]] = {}
        self._stack = ExitStack()
        self._place: Path | None = None
        self._begun = False
        self._numbers = iter(range(1 << 62))
        self._pool = ThreadPoolExecutor(CORES)

    def close(self) -> None:
        """End what is under way, and remove what was made."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def begin(self, job: Job, pieces: Iterable[Piece]) -> None:
        """Compress the first pieces lightly, beside the login: on a fast link they are sent so."""
        self._begun = True
        for piece in islice(pieces, CORES):
            self._packed(job, piece, Packing(Pace(), self._file, level=LIGHT))

    def in_order(self, job: Job, pieces: Iterable[Piece], pace: Pace) -> Iterator[Packed]:
        """Give the pieces compressed, while some more are being worked on, and no more than some.

        Raises:
            DeployError: when the layer cannot be read.
        """
        waiting: deque[tuple[Piece, Future[Packed]]] = deque()
        if self._begun and not is_fast(pace.rates):
            self.forget()
        self._begun = False
        try:
            for piece in pieces:
                packing = Packing(pace, self._file, pace.submitted, job.level_of(piece))
                waiting.append((piece, self._packed(job, piece, packing)))
                pace.submitted += 0 if piece.kind == "copy" else piece.length
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
        """Compress again what is asked for again."""
        with self._alone:
            self._made = {}

    def _next(self, job: Job, waiting: deque[tuple[Piece, Future[Packed]]]) -> Packed:
        piece, future = waiting.popleft()
        try:
            return future.result()
        finally:
            if not self._shared:
                self._forget(job, piece)

    def _packed(self, job: Job, piece: Piece, packing: Packing) -> Future[Packed]:
        if job.level_of(piece) is not None:
            return self._pool.submit(pack, job, piece, packing)
        key = (job.diff_id, job.base_id, piece)
        with self._alone:
            if key not in self._made:
                self._made[key] = self._pool.submit(pack, job, piece, packing)
            return self._made[key]

    def _forget(self, job: Job, piece: Piece) -> None:
        with self._alone:
            self._made.pop((job.diff_id, job.base_id, piece), None)

    def _file(self) -> Path:
        with self._alone:
            if self._place is None:
                self._place = self._stack.enter_context(self._cache.workplace())
            return self._place / str(next(self._numbers))
