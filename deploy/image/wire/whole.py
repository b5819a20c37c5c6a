"""Send a whole image: `podman save` or its like, compressed, into podman on the node."""

import contextlib
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from typing import IO

from zstandard import ZstdCompressor

from deploy.errors import DeployError
from deploy.image.plan.image import Image, SaveCommand
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.workstation.programs import environment, missing

_BLOCK_BYTES = 1 << 20
_HINT = "run the same command again; the running release was not changed"
# Exit code of receive-image and load-image: podman refuses a layer, now and later.
REFUSED = 7
REFUSED_HINT = "build the image again, by other means: no podman unpacks this one"


def send_whole(
    remote: Remote, app: str, image: Image, whole: SaveCommand, on_bytes: Callable[[int], None]
) -> None:
    """Stream a whole image to the node, which tags it `localhost/<app>:sent` if its id is right.

    `on_bytes` receives the uncompressed byte counts.

    Raises:
        DeployError: with the program that failed and its last line of output.
    """
    command = Command("load-image", (app, image.id, whole.form, whole.ref))
    with _started(whole.command) as (save, errors):

        def parts() -> Iterator[bytes]:
            yield from _compressed(_pipe(save), on_bytes)
            if code := save.wait():
                errors.seek(0)
                said = errors.read().decode(errors="replace")
                raise _failure(image, " ".join(whole.command[:2]), said or f"exit code {code}")

        result = remote.send(command, parts())
    if result.code:
        hint = REFUSED_HINT if result.code == REFUSED else _HINT
        raise _failure(image, "the node", result.error_text, hint)


def _failure(image: Image, program: str, said: str, hint: str = _HINT) -> DeployError:
    last = said.strip().splitlines()[-1]
    return DeployError(f"sending image {image.name} failed at {program}: {last}", hint)


def _compressed(source: IO[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    packer = ZstdCompressor(level=3, write_checksum=True).compressobj()
    while block := source.read(_BLOCK_BYTES):
        on_bytes(len(block))
        yield packer.compress(block)
    yield packer.flush()


def _pipe(process: subprocess.Popen[bytes]) -> IO[bytes]:
    if process.stdout is None:
        raise ValueError("this program was started without a pipe")
    return process.stdout


@contextlib.contextmanager
def _started(words: tuple[str, ...]) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """Run a program until the block ends, with its stdout as a pipe and its stderr as a file."""
    with tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
            )
        except FileNotFoundError as error:
            raise missing(words[0]) from error
        with process:
            try:
                yield process, errors
            finally:
                process.kill()
