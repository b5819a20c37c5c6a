"""Send a whole image: `podman save` or its like, compressed through ssh into podman on the node."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from zstandard import FLUSH_FRAME, ZstdCompressor

from deploy.errors import DeployError
from deploy.image.plan.image import Image, SaveCommand
from deploy.node.bulk import ssh_command
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.node.script import whole_line
from deploy.workstation.programs import environment, missing

_BLOCK_BYTES = 1 << 20
_HINT = "run the same command again; the running release was not changed"


def send_whole(
    remote: Remote, app: str, image: Image, whole: SaveCommand, on_bytes: Callable[[int], None]
) -> None:
    """Stream a whole image to the node, which tags it `localhost/<app>:sent` if its id is right.

    `on_bytes` receives the uncompressed byte counts.

    Raises:
        DeployError: with the program that failed and its last line of output.
    """
    command = Command("load-image", (app, image.id, whole.form, whole.ref))
    with contextlib.ExitStack() as stack:
        ssh = stack.enter_context(ssh_command(remote))
        save = _start(stack, " ".join(whole.command[:2]), whole.command, writes=subprocess.PIPE)
        node = _start(stack, "the node", (*ssh, whole_line(command)), reads=subprocess.PIPE)
        taken = _pump(_pipe(save.process.stdout), _pipe(node.process.stdin), on_bytes)
        # Report the program that failed first: the node unless it received everything, and never
        # one that only lost its reader.
        ends = (save, node) if taken else (node, save)
        failed = [end for end in ends if end.process.wait()]
        failed.sort(key=lambda end: end.process.returncode == -signal.SIGPIPE)
        if failed:
            raise DeployError(
                f"sending image {image.name} failed at {failed[0].name}: {failed[0].last_line()}",
                _HINT,
            )


@dataclass(frozen=True, slots=True)
class _Program:
    name: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    def last_line(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.process.returncode}"


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("this program was started without a pipe")
    return stream


def _start(
    stack: contextlib.ExitStack,
    name: str,
    words: tuple[str, ...],
    *,
    reads: int = subprocess.DEVNULL,
    writes: int = subprocess.DEVNULL,
) -> _Program:
    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 -- the stack closes it
    try:
        process = subprocess.Popen(
            words, stdin=reads, stdout=writes, stderr=errors, env=environment()
        )
    except FileNotFoundError as error:
        raise missing(words[0]) from error
    stack.callback(_stop, process)
    return _Program(name, process, errors)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Kill a program that is still running after another one failed."""
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    process.kill()
    process.wait()


def _pump(source: IO[bytes], sink: IO[bytes], on_bytes: Callable[[int], None]) -> bool:
    """Compress and pass on all bytes; return whether the sink accepted them."""
    packed = ZstdCompressor(level=3, write_checksum=True).stream_writer(sink)
    try:
        while part := source.read(_BLOCK_BYTES):
            packed.write(part)
            on_bytes(len(part))
        packed.flush(FLUSH_FRAME)
        sink.close()
    except BrokenPipeError:
        return False
    finally:
        source.close()
    return True
