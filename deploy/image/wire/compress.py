"""Compress one chunk of a layer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.image.layers.oci import hex_of
from deploy.image.plan.sending import PLAIN, expected_seconds, level_for, patch_level_for
from deploy.image.wire.chunks import Bytes, Chunk
from deploy.image.wire.rate_meter import RateMeter
from deploy.image.wire.zstd import compress, sampled_share

# A patch larger than this share of the chunk is compared with the chunk compressed alone.
_POOR = 0.1


@dataclass(frozen=True, slots=True)
class Job:
    """A layer to compress, and its base; `begun` is the key of a partially sent chunk."""

    diff_id: str
    new: Bytes
    base_id: str = ""
    old: Bytes = b""
    begun: str = ""

    def level_of(self, chunk: Chunk) -> int | None:
        """Return the level of the partially sent chunk if this is the same chunk."""
        stem, _, level = self.begun.rpartition("-")
        begun = {_key(self.diff_id, chunk, 0), _key(self.diff_id, _plain(chunk), 0)}
        return int(level) if f"{stem}-0" in begun and level.isdigit() else None


@dataclass(frozen=True, slots=True)
class CompressedChunk:
    """A chunk, the file with its compressed bytes, and a key that identifies these bytes.

    `file` is None for a copy on the node and for a chunk that is sent uncompressed (`raw`).
    """

    chunk: Chunk
    file: Path | None
    key: str
    raw: bool = False

    @property
    def size(self) -> int:
        """The compressed size."""
        return self.file.stat().st_size if self.file else 0


@dataclass(frozen=True, slots=True)
class Compression:
    """How to compress one chunk: rates of the transfer, and a function that names new files.

    `ahead` is the number of bytes queued before this chunk. `level` is fixed for a chunk that an
    earlier transfer sent partially.
    """

    meter: RateMeter
    file: Callable[[], Path]
    ahead: int = 0
    level: int | None = None

    def level_of(self, chunk: Chunk, data: bytes) -> int:
        """Choose the level; called when compression starts, to use the latest measurements."""
        if self.level is not None:
            return self.level
        rates = self.meter.rates
        if chunk.kind == "patch":
            return patch_level_for(rates)
        ahead = max(0, self.ahead - self.meter.done)
        return level_for(rates, length=chunk.length, ahead=ahead, share=sampled_share(data))


def compress_chunk(job: Job, chunk: Chunk, compression: Compression) -> CompressedChunk:
    """Compress a chunk, as a patch if that is smaller; a copy needs no data.

    Raises:
        DeployError: when the layer cannot be read, or zstd fails.
    """
    if chunk.kind == "copy":
        return CompressedChunk(chunk, None, "")
    if chunk.kind == "plain":
        return _compressed(job, chunk, compression)
    patched = _compressed(job, chunk, compression)
    if patched.size <= chunk.length * _POOR:
        return patched
    plain = _compressed(job, _plain(chunk), compression)
    worse = patched if plain.file and plain.size < patched.size else plain
    if worse.file:
        worse.file.unlink()
    return plain if worse is patched else patched


def _compressed(job: Job, chunk: Chunk, compression: Compression) -> CompressedChunk:
    data = job.new[chunk.at : chunk.at + chunk.length]
    level = compression.level_of(chunk, data)
    if level == PLAIN:
        return CompressedChunk(chunk, None, "", raw=True)
    out, like = compression.file(), None
    if chunk.kind == "patch":
        like = out.with_suffix(".old")
        like.write_bytes(job.old[chunk.start : chunk.start + chunk.count])
    began = time.monotonic()
    compress(data, out, level=level, like=like)
    seconds = time.monotonic() - began
    if like:
        like.unlink()
    amount = chunk.length if like else expected_seconds(level, chunk.length)
    compression.meter.add_work(chunk.kind, amount, seconds)
    return CompressedChunk(chunk, out, _key(job.diff_id, chunk, level))


def _plain(chunk: Chunk) -> Chunk:
    return Chunk("plain", chunk.at, chunk.length)


def _key(diff_id: str, chunk: Chunk, level: int) -> str:
    """Build a key: equal keys mean equal compressed bytes, given the same version of zstd."""
    parts = (hex_of(diff_id), chunk.kind, chunk.at, chunk.length, chunk.start, chunk.count, level)
    return "-".join(str(part) for part in parts)
