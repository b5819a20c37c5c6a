"""Compress and decompress: by zstd beside a block, or by its library."""

import contextlib
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from zstandard import ZstdCompressionParameters, ZstdCompressor

from deploy.workstation.programs import failed, missing

_SMALL = 8 << 20
_SAMPLE = 64 << 10


@contextmanager
def running(
    words: Sequence[str], *, reads: IO[bytes] | int = subprocess.DEVNULL, output: int | IO[bytes]
) -> Iterator[IO[bytes] | None]:
    """Run a program beside the block, which gets its input when that is a pipe.

    Raises:
        DeployError: with its last words when it fails.
    """
    try:
        process = subprocess.Popen(words, stdin=reads, stdout=output, stderr=subprocess.PIPE)
    except FileNotFoundError as error:
        raise missing(words[0]) from error
    with process:
        try:
            yield process.stdin
            said = process.stderr.read() if process.stderr else b""
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise failed(words[0], process.returncode, said)


def compress(data: bytes, into: Path, *, level: int, like: Path | None) -> None:
    """Compress bytes by zstd into a file, as a patch to `like` where one is given.

    Raises:
        DeployError: with zstd's last words.
    """
    if like:
        _patch(data, into, level, like)
        return
    # The window spans the whole piece: nothing is lost by cutting a layer into pieces. Tables of
    # twice the usual size take a thirtieth off the light level's bytes, and nothing of its time.
    words = {"window_log": 24} | ({"hash_log": 15} if level == 1 else {})
    wanted = ZstdCompressionParameters.from_level(
        level, source_size=len(data), write_checksum=True, **words
    )
    # Here and not by the program: what it takes to hand the bytes over is half of its work.
    into.write_bytes(ZstdCompressor(compression_params=wanted).compress(data))


def sampled_share(data: bytes) -> float:
    """Compress three samples of some bytes lightly; tell what share of them that keeps."""
    middle, end = len(data) // 2, max(0, len(data) - _SAMPLE)
    sample = b"".join(data[at : at + _SAMPLE] for at in (0, middle, end))
    return len(ZstdCompressor(level=1).compress(sample)) / len(sample) if sample else 1.0


def _patch(data: bytes, into: Path, level: int, like: Path) -> None:
    words = ["zstd", "-q", "-f", f"-{level}", f"--stream-size={len(data)}", f"--patch-from={like}"]
    if len(data) < _SMALL:
        # By itself zstd sizes its tables for the piece, and finds little in what is larger.
        words.append("--zstd=wlog=26,hlog=22,clog=22")
    with (
        into.open("wb") as out,
        running((*words, "-c"), reads=subprocess.PIPE, output=out) as entry,
        # A program that ends before it has read everything tells why.
        contextlib.suppress(BrokenPipeError),
    ):
        if entry:
            # Not by communicate(), which writes four kilobytes at a time.
            entry.write(data)
            entry.close()
