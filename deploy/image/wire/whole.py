"""A whole image to a node: what a program writes, compressed, into podman there."""

import contextlib
import signal
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

from deploy.errors import DeployError
from deploy.image.plan.image import Image, Whole
from deploy.node.bulk import ssh_command
from deploy.node.command import Command
from deploy.node.script import whole_line
from deploy.node.target import Target
from deploy.workstation.programs import missing

_CHUNK = 1 << 20
_HINT = "run the same command again; the node serves what it served before"


def send_whole(
    target: Target, app: str, image: Image, whole: Whole, on_bytes: Callable[[int], None]
) -> None:
    """Stream what a program writes, compressed, into the node's storage; counts bytes before that.

    There it is named `localhost/<app>:sent`, and only when it is the image that was meant.

    Raises:
        DeployError: naming the end that failed, and what it said.
    """
    wanted = Command("load-image", (app, image.id, whole.form, whole.ref))
    remote = (*ssh_command(target), target.host, whole_line(wanted))
    with contextlib.ExitStack() as stack:
        save = _start(stack, " ".join(whole.words[:2]), whole.words)
        squeeze = _start(stack, "zstd", ("zstd", "-q", "-3", "-c"), reads=subprocess.PIPE)
        node = _start(stack, "the node", remote, reads=squeeze.output, writes=subprocess.DEVNULL)
        squeeze.output.close()
        taken = _pump(save, squeeze, on_bytes)
        # Whoever failed first took the others along: the reader, unless it was given everything;
        # never one that only lost its reader.
        ends = (save, squeeze, node) if taken else (node, squeeze, save)
        failed = [end for end in ends if end.process.wait()]
        failed.sort(key=lambda end: end.process.returncode == -signal.SIGPIPE)
        if failed:
            raise DeployError(
                f"sending image {image.name} failed at {failed[0].name}: {failed[0].said()}",
                _HINT,
            )


@dataclass(frozen=True, slots=True)
class _End:
    name: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]

    @property
    def output(self) -> IO[bytes]:
        return _pipe(self.process.stdout)

    @property
    def input(self) -> IO[bytes]:
        return _pipe(self.process.stdin)

    def said(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"exit code {self.process.returncode}"


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("this end was started without a pipe")
    return stream


def _start(
    stack: contextlib.ExitStack,
    name: str,
    words: tuple[str, ...],
    *,
    reads: int | IO[bytes] = subprocess.DEVNULL,
    writes: int = subprocess.PIPE,
) -> _End:
    errors = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 -- the stack closes it
    try:
        process = subprocess.Popen(words, stdin=reads, stdout=writes, stderr=errors)
    except FileNotFoundError as error:
        raise missing(words[0]) from error
    stack.callback(_stop, process)
    return _End(name, process, errors)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs because something before it failed."""
    for stream in (process.stdin, process.stdout):
        if stream:
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    process.kill()
    process.wait()


def _pump(source: _End, sink: _End, on_bytes: Callable[[int], None]) -> bool:
    """Move all bytes; tell whether the sink took them."""
    try:
        while part := source.output.read(_CHUNK):
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
