"""Bulk streams to a node, through the system's ssh and rsync."""

import contextlib
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deploy.errors import DeployError
from deploy.plan.command import Command
from deploy.plan.image import Image, Whole
from deploy.programs import Start, missing, run
from deploy.remote.connection import Target
from deploy.remote.remote import whole_line

_CONNECT_SECONDS = 10
_ALIVE_SECONDS = 15
_CHUNK = 1 << 20
_HINT = "run the same command again; the node serves what it served before"


def ssh_words(target: Target) -> tuple[str, ...]:
    """List the system ssh's words for a node, up to the host, with the same pinned keys."""
    pins = f"UserKnownHostsFile={_quoted(target.known_hosts.absolute())} ~/.ssh/known_hosts"
    options = (
        "StrictHostKeyChecking=yes",
        pins,
        f"BatchMode={'no' if target.may_ask else 'yes'}",
        f"ConnectTimeout={_CONNECT_SECONDS}",
        f"ServerAliveInterval={_ALIVE_SECONDS}",
        "LogLevel=ERROR",
    )
    words = ["ssh", "-l", target.user, *(word for option in options for word in ("-o", option))]
    if target.port:
        words += ["-p", str(target.port)]
    if target.identity:
        words += ["-i", str(target.identity.expanduser())]
    return tuple(words)


def send_whole(
    target: Target, app: str, image: Image, whole: Whole, on_bytes: Callable[[int], None]
) -> None:
    """Stream what a program writes, compressed, into the node's storage; counts bytes before that.

    There it is named `localhost/<app>:sent`, and only when it is the image that was meant.

    Raises:
        DeployError: naming the end that failed, and what it said.
    """
    wanted = Command("load-image", (app, image.id, whole.form, whole.ref))
    remote = (*ssh_words(target), target.host, whole_line(wanted))
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


def send_files(target: Target, folder: Path, names: Iterable[str], *, into: str, like: str) -> None:
    """Copy files by rsync; what equals a file below `like` on the node is hard-linked there.

    Raises:
        DeployError: with rsync's last words.
    """
    listing = b"".join(name.encode() + b"\0" for name in names)
    words = [
        "rsync", "-rlpc", "--from0", "--files-from=-", "--chmod=D755,Fu=rwX,Fgo=rX",
        f"--link-dest={like}", "--rsync-path=sudo -n rsync",
        "-e", " ".join(_rsync_word(word) for word in ssh_words(target)),
        f"{folder}/", f"{_bracketed(target.host)}:{into}/",
    ]  # fmt: skip
    run(words, doing="rsync of the project files", hint=_HINT, start=Start(listing, lines=8))


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


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text


def _rsync_word(word: str) -> str:
    """Quote a word for rsync's own splitting of -e, which knows quotes but no escapes."""
    return shlex.quote(word) if "'" not in word else f'"{word}"'


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
