"""Compress a layer for a registry; the same layer gives the same bytes."""

import hashlib
import zlib
from functools import partial
from pathlib import Path
from typing import Protocol

from zstandard import ZstdCompressor

from deploy.image.layers.oci import hex_of
from deploy.registry.plan.manifest import LAYER_TYPE, Descriptor

_BLOCK_BYTES = 1 << 20
# Published once and fetched by every node: a small layer may take more time for its size.
_SMALL_BYTES = 32 << 20
_SMALL_LEVEL, _LEVEL = 15, 6
_GZIP_LEVEL = 6
_GZIP_WRAPPER = 16 + zlib.MAX_WBITS


class _Compressor(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def pack(diff_id: str, layer: Path, into: Path, form: str) -> Descriptor | None:
    """Compress a layer's tar into a file, by gzip or zstd; None when the tar is not the layer."""
    plain, packed, count = hashlib.sha256(), hashlib.sha256(), 0
    compressor = _compressor(form, layer.stat().st_size)
    with layer.open("rb") as source, into.open("wb") as out:
        for block in iter(partial(source.read, _BLOCK_BYTES), b""):
            plain.update(block)
            data = compressor.compress(block)
            packed.update(data)
            count += out.write(data)
        data = compressor.flush()
        packed.update(data)
        count += out.write(data)
    if plain.hexdigest() != hex_of(diff_id):
        return None
    digest = f"sha256:{packed.hexdigest()}"
    return Descriptor(media_type=f"{LAYER_TYPE}+{form}", digest=digest, size=count)


def _compressor(form: str, size: int) -> _Compressor:
    if form == "gzip":
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WRAPPER)
    level = _SMALL_LEVEL if size <= _SMALL_BYTES else _LEVEL
    return ZstdCompressor(level=level, write_checksum=True).compressobj(size=size)
