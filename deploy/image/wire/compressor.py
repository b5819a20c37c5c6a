"""Compress chunks in parallel, ahead of sending, once for all nodes."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from threading import Lock

from deploy.image.layers.cache import Cache
from deploy.image.plan.sending import FASTEST, is_fast
from deploy.image.wire.chunks import Chunk
from deploy.image.wire.compress import CompressedChunk, Compression, Job, compress_chunk
from deploy.image.wire.rate_meter import CORES, RateMeter

# Compressed chunks wait on disk.
_AHEAD = CORES + 1


class Compressor:
    """A thread pool that compresses the chunks of one image."""

    def __init__(self, cache: Cache, *, nodes: int) -> None:
        self._cache, self._shared = cache, nodes > 1
        self._lock = Lock()
        self._made: dict[tuple[str, str, Chunk], Future[CompressedChunk]] = {}
        self._stack = ExitStack()
        self._place: Path | None = None
        self._started_early = False
        self._numbers = iter(range(1 << 62))
        self._pool = ThreadPoolExecutor(CORES)

    def close(self) -> None:
        """Stop compressing and remove all compressed files."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._stack.close()

    def start_early(self, job: Job, chunks: Iterable[Chunk]) -> None:
        """Compress the first chunks at level 1 during the login; used only on a fast link."""
        self._started_early = True
        for chunk in islice(chunks, CORES):
            self._submit(job, chunk, Compression(RateMeter(), self._file, level=FASTEST))

    def compress_in_order(
        self, job: Job, chunks: Iterable[Chunk], meter: RateMeter
    ) -> Iterator[CompressedChunk]:
        """Yield compressed chunks in order, compressing at most `_AHEAD` ahead.

        Raises:
            DeployError: when the layer cannot be read.
        """
        waiting: deque[tuple[Chunk, Future[CompressedChunk]]] = deque()
        if self._started_early and not is_fast(meter.rates):
            self.clear()
        self._started_early = False
        try:
            for chunk in chunks:
                compression = Compression(meter, self._file, meter.submitted, job.level_of(chunk))
                waiting.append((chunk, self._submit(job, chunk, compression)))
                meter.submitted += 0 if chunk.kind == "copy" else chunk.length
                if len(waiting) > _AHEAD:
                    yield self._next(job, waiting)
            while waiting:
                yield self._next(job, waiting)
        finally:
            # Wait for chunks in progress, since they read from layers that are closed next.
            for chunk, future in waiting:
                if self._shared or not future.cancel():
                    future.exception()
                else:
                    self._forget(job, chunk)

    def release(self, compressed: CompressedChunk) -> None:
        """Delete a sent chunk's file, unless another node may need it."""
        if compressed.file and not self._shared:
            compressed.file.unlink()

    def clear(self) -> None:
        """Discard all compressed chunks."""
        with self._lock:
            self._made = {}

    def _next(
        self, job: Job, waiting: deque[tuple[Chunk, Future[CompressedChunk]]]
    ) -> CompressedChunk:
        chunk, future = waiting.popleft()
        try:
            return future.result()
        finally:
            if not self._shared:
                self._forget(job, chunk)

    def _submit(self, job: Job, chunk: Chunk, compression: Compression) -> Future[CompressedChunk]:
        if job.level_of(chunk) is not None:
            return self._pool.submit(compress_chunk, job, chunk, compression)
        key = (job.diff_id, job.base_id, chunk)
        with self._lock:
            if key not in self._made:
                self._made[key] = self._pool.submit(compress_chunk, job, chunk, compression)
            return self._made[key]

    def _forget(self, job: Job, chunk: Chunk) -> None:
        with self._lock:
            self._made.pop((job.diff_id, job.base_id, chunk), None)

    def _file(self) -> Path:
        with self._lock:
            if self._place is None:
                self._place = self._stack.enter_context(self._cache.temporary_folder())
            return self._place / str(next(self._numbers))
