"""One piece of a layer, compressed."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.image.layers.oci import hex_of
from deploy.image.plan.sending import PLAIN, expected_seconds, level_for, patch_level_for
from deploy.image.wire.chunks import Bytes, Piece
from deploy.image.wire.level import Pace
from deploy.image.wire.zstd import compress, sampled_share

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

    def level_of(self, piece: Piece) -> int | None:
        """Find the level of the piece that was cut short, where it is cut as it was then."""
        stem, _, level = self.begun.rpartition("-")
        begun = {_key(self.diff_id, piece, 0), _key(self.diff_id, _plain(piece), 0)}
        return int(level) if f"{stem}-0" in begun and level.isdigit() else None


@dataclass(frozen=True, slots=True)
class Packed:
    """A piece with the file of its compressed bytes, and the key that stands for these bytes.

    Without a file its bytes are the node's own, or those of the layer: `raw`.
    """

    piece: Piece
    file: Path | None
    key: str
    raw: bool = False

    @property
    def size(self) -> int:
        """Count the compressed bytes."""
        return self.file.stat().st_size if self.file else 0


@dataclass(frozen=True, slots=True)
class Packing:
    """How one piece is to be compressed: at the pace of a transfer, into new files.

    `ahead` is how many bytes of layers the transfer had to compress before this piece. `level` is
    set for a piece that an earlier transfer has begun.
    """

    pace: Pace
    file: Callable[[], Path]
    ahead: int = 0
    level: int | None = None

    def level_of(self, piece: Piece, data: bytes) -> int:
        """Choose the level as late as possible: more is measured by then."""
        if self.level is not None:
            return self.level
        rates = self.pace.rates
        if piece.kind == "patch":
            return patch_level_for(rates)
        ahead = max(0, self.ahead - self.pace.done)
        return level_for(rates, length=piece.length, ahead=ahead, share=sampled_share(data))


def pack(job: Job, piece: Piece, packing: Packing) -> Packed:
    """Compress a piece, as a patch when that is smaller; a copy has no bytes.

    Raises:
        DeployError: when the layer cannot be read, or zstd fails.
    """
    if piece.kind == "copy":
        return Packed(piece, None, "")
    if piece.kind == "plain":
        return _compressed(job, piece, packing)
    patched = _compressed(job, piece, packing)
    if patched.size <= piece.length * _POOR:
        return patched
    plain = _compressed(job, _plain(piece), packing)
    worse = patched if plain.file and plain.size < patched.size else plain
    if worse.file:
        worse.file.unlink()
    return plain if worse is patched else patched


def _compressed(job: Job, piece: Piece, packing: Packing) -> Packed:
    data = job.new[piece.at : piece.at + piece.length]
    level = packing.level_of(piece, data)
    if level == PLAIN:
        return Packed(piece, None, "", raw=True)
    out, like = packing.file(), None
    if piece.kind == "patch":
        like = out.with_suffix(".old")
        like.write_bytes(job.old[piece.start : piece.start + piece.count])
    began = time.monotonic()
    compress(data, out, level=level, like=like)
    seconds = time.monotonic() - began
    if like:
        like.unlink()
    amount = piece.length if like else expected_seconds(level, piece.length)
    packing.pace.add_work(piece.kind, amount, seconds)
    return Packed(piece, out, _key(job.diff_id, piece, level))


def _plain(piece: Piece) -> Piece:
    return Piece("plain", piece.at, piece.length)


def _key(diff_id: str, piece: Piece, level: int) -> str:
    """Name a piece so that the same name means the same bytes, with the same zstd."""
    parts = (hex_of(diff_id), piece.kind, piece.at, piece.length, piece.start, piece.count, level)
    return "-".join(str(part) for part in parts)
