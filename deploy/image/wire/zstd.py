"""Compress and decompress with the zstd program or library."""

import math
from pathlib import Path
from typing import IO

from zstandard import ZstdCompressionParameters, ZstdCompressor, ZstdDecompressor

from deploy.workstation.programs import run

_BLOCK_BYTES = 1 << 20
_SMALL = 8 << 20
_SAMPLE = 64 << 10


def unpack(packed: IO[bytes], out: IO[bytes], most_bytes: float = math.inf) -> None:
    """Decompress a stream of one or several frames.

    Raises:
        ValueError: when that gives more than `most_bytes`.
        ZstdError: when it is damaged.
    """
    with ZstdDecompressor().stream_reader(packed, read_across_frames=True) as plain:
        while part := plain.read(_BLOCK_BYTES):
            most_bytes -= len(part)
            if most_bytes < 0:
                raise ValueError("it unpacks to more than the image can take")
            out.write(part)


def compress(data: bytes, into: Path, *, level: int, like: Path | None) -> None:
    """Compress data into a file, as a patch against the file `like` if given.

    Raises:
        DeployError: with zstd's last line of output.
    """
    if like:
        _patch(data, into, level, like)
        return
    # The window spans the whole chunk. Tables of twice the default size save a thirtieth of bytes
    # at level 1, at no cost in time.
    options = {"window_log": 24} | ({"hash_log": 15} if level == 1 else {})
    wanted = ZstdCompressionParameters.from_level(
        level, source_size=len(data), write_checksum=True, **options
    )
    # By the library: piping the data to the program would take half as long again.
    into.write_bytes(ZstdCompressor(compression_params=wanted).compress(data))


def sampled_share(data: bytes) -> float:
    """Compress three samples of the data at level 1; return the compressed share."""
    middle, end = len(data) // 2, max(0, len(data) - _SAMPLE)
    sample = b"".join(data[at : at + _SAMPLE] for at in (0, middle, end))
    return len(ZstdCompressor(level=1).compress(sample)) / len(sample) if sample else 1.0


def _patch(data: bytes, into: Path, level: int, like: Path) -> None:
    """Make a patch with the program: the library's, from a dictionary, are several times larger."""
    options = ["zstd", "-q", "-f", f"-{level}", f"--patch-from={like}", "-o", str(into)]
    if len(data) < _SMALL:
        # By default zstd sizes its tables for the chunk, too small for the larger reference.
        options.append("--zstd=wlog=26,hlog=22,clog=22")
    new = into.with_suffix(".new")
    new.write_bytes(data)
    run([*options, str(new)])
    new.unlink()
