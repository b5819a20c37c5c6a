"""One piece of a layer, compressed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.image.layers.oci import hex_of
from deploy.image.wire.chunks import Bytes, Piece
from deploy.image.wire.zstd import compress

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
    """A piece with the file of its compressed bytes, and the key that stands for these bytes."""

    piece: Piece
    file: Path | None
    key: str

    @property
    def size(self) -> int:
        """Count the compressed bytes."""
        return self.file.stat().st_size if self.file else 0


def pack(job: Job, piece: Piece, level: int, file: Callable[[], Path]) -> Packed:
    """Compress a piece, as a patch when that is smaller; a copy has no bytes.

    `file` names a new file, each time it is called.

    Raises:
        DeployError: when the layer cannot be read, or zstd fails.
    """
    if piece.kind == "copy":
        return Packed(piece, None, "")
    if piece.kind == "plain":
        return _compressed(job, piece, level, file())
    patched = _compressed(job, piece, level, file())
    if patched.size <= piece.length * _POOR:
        return patched
    plain = _compressed(job, _plain(piece), level, file())
    worse = patched if plain.size < patched.size else plain
    if worse.file:
        worse.file.unlink()
    return plain if worse is patched else patched


def _compressed(job: Job, piece: Piece, level: int, out: Path) -> Packed:
    like = None
    if piece.kind == "patch":
        like = out.with_suffix(".old")
        like.write_bytes(job.old[piece.start : piece.start + piece.count])
    compress(job.new[piece.at : piece.at + piece.length], out, level=level, like=like)
    if like:
        like.unlink()
    return Packed(piece, out, _key(job.diff_id, piece, level))


def _plain(piece: Piece) -> Piece:
    return Piece("plain", piece.at, piece.length)


def _key(diff_id: str, piece: Piece, level: int) -> str:
    """Name a piece so that the same name means the same bytes, with the same zstd."""
    parts = (hex_of(diff_id), piece.kind, piece.at, piece.length, piece.start, piece.count, level)
    return "-".join(str(part) for part in parts)
