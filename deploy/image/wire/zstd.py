"""Compress and decompress with the zstd program or library."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zstandard import ZstdCompressionParameters, ZstdCompressor, ZstdDecompressor

from deploy.workstation.programs import failed, missing

_SMALL = 8 << 20
_SAMPLE = 64 << 10


@contextmanager
def running(
    options: Sequence[str], *, reads: IO[bytes] | int = subprocess.DEVNULL, output: int | IO[bytes]
) -> Iterator[IO[bytes] | None]:
    """Run a program during the `with` block, which receives its stdin if that is a pipe.

    Raises:
        DeployError: with its last line of output when it fails.
    """
    try:
        process = subprocess.Popen(options, stdin=reads, stdout=output, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise missing(options[0]) from error
    with process:
        try:
            yield process.stdin
            said = process.stderr.read() if process.stderr else b""
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise failed(options[0], process.returncode, said)


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


def decompress(data: bytes, into: Path, most_bytes: int) -> None:
    """Decompress data into a file.

    Raises:
        ValueError: when that takes more than `most_bytes`.
        ZstdError: when the data is damaged.
    """
    with into.open("wb") as out, ZstdDecompressor().stream_reader(data) as stream:
        while part := stream.read(_SAMPLE):
            most_bytes -= len(part)
            if most_bytes < 0:
                raise ValueError("it unpacks to more than the image can take")
            out.write(part)


def sampled_share(data: bytes) -> float:
    """Compress three samples of the data at level 1; return the compressed share."""
    middle, end = len(data) // 2, max(0, len(data) - _SAMPLE)
    sample = b"".join(data[at : at + _SAMPLE] for at in (0, middle, end))
    return len(ZstdCompressor(level=1).compress(sample)) / len(sample) if sample else 1.0


def _patch(data: bytes, into: Path, level: int, like: Path) -> None:
    options = [
        "zstd",
        "-q",
        "-f",
        f"-{level}",
        f"--stream-size={len(data)}",
        f"--patch-from={like}",
    ]
    if len(data) < _SMALL:
        # By default zstd sizes its tables for the chunk, too small for the larger reference.
        options.append("--zstd=wlog=26,hlog=22,clog=22")
    with (
        into.open("wb") as out,
        running((*options, "-c"), reads=subprocess.PIPE, output=out) as stdin,
        # When zstd ends before it has read everything, its exit code and message say why.
        contextlib.suppress(BrokenPipeError),
    ):
        if stdin:
            # Not with communicate(), which writes four kilobytes at a time.
            stdin.write(data)
            stdin.close()
