"""Send a whole image: `podman save` or its like, through zstd and ssh, into podman on the node."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from deploy.errors import DeployError
from deploy.image.plan.image import Image, SaveCommand
from deploy.node.bulk import ssh_command
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.node.script import whole_line
from deploy.workstation.programs import missing

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
        save = _start(stack, " ".join(whole.command[:2]), whole.command)
        compress = _start(stack, "zstd", ("zstd", "-q", "-3", "-c"), reads=subprocess.PIPE)
        node = _start(
            stack,
            "the node",
            (*ssh, whole_line(command)),
            reads=compress.output,
            writes=subprocess.DEVNULL,
        )
        compress.output.close()
        taken = _pump(save, compress, on_bytes)
        # Report the program that failed first: the last one in the pipe unless it received
        # everything, and never one that only lost its reader.
        ends = (save, compress, node) if taken else (node, compress, save)
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

    @property
    def output(self) -> IO[bytes]:
        return _pipe(self.process.stdout)

    @property
    def input(self) -> IO[bytes]:
        return _pipe(self.process.stdin)

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
    reads: int | IO[bytes] = subprocess.DEVNULL,
    writes: int = subprocess.PIPE,
) -> _Program:
    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 -- the stack closes it
    try:
        process = subprocess.Popen(words, stdin=reads, stdout=writes, stderr=errors)
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


def _pump(source: _Program, sink: _Program, on_bytes: Callable[[int], None]) -> bool:
    """Copy all bytes; return whether the sink accepted them."""
    try:
        while part := source.output.read(_BLOCK_BYTES):
            sink.input.write(part)
            on_bytes(len(part))
        sink.input.close()
    except BrokenPipeError:
        with contextlib.suppress(BrokenPipeError):
            sink.input.close()
        return False
    finally:
        source.output.close()
    return True
