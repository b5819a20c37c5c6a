"""Run local programs; the one place that turns their failures into messages."""

import os
import re
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

from deploy.errors import DeployError

_NEEDED = re.compile(
    "PATH|HOME|USER|LOGNAME|SHELL|TERM|TZ|TMPDIR|LANG|LANGUAGE|LC_.*|LD_LIBRARY_PATH|XDG_.*"
    "|SSH_.*|DISPLAY|WAYLAND_DISPLAY|DBUS_SESSION_BUS_ADDRESS|GNUPGHOME|GIT_.*"
    "|DOCKER_.*|CONTAINERS?_.*|_CONTAINERS_.*|STORAGE_.*|[A-Za-z]+_(proxy|PROXY)"
)


class ProgramError(DeployError):
    """A program failed; `code` is its exit code, None when it did not start or end in time."""

    def __init__(self, message: str, hint: str, code: int | None = None) -> None:
        super().__init__(message, hint)
        self.code = code


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a program; by default with an empty stdin in the current folder.

    `shown`: its output goes to the terminal. `lines`: how much of stderr an error repeats.
    `operators`: it is the operator's own program, and gets the environment of `fab`. `prints`: an
    empty output is a failure.
    """

    stdin: bytes = field(default=b"", repr=False)
    folder: Path | None = None
    shown: bool = False
    descriptors: tuple[int, ...] = ()
    umask: int = -1
    lines: int = 1
    operators: bool = False
    prints: bool = False


def run(
    words: Sequence[str],
    *,
    doing: str = "",
    hint: str = "",
    seconds: float | None = None,
    start: Start = Start(),
) -> bytes:
    """Run a program and return its stdout; `doing` names it in messages.

    Raises:
        ProgramError: when it is not installed, cannot be started, takes too long or fails.
    """
    name = doing or words[0]
    output = None if start.shown else subprocess.PIPE
    try:
        done = subprocess.run(
            words,
            input=start.stdin,
            stdout=output,
            stderr=output,
            cwd=start.folder,
            pass_fds=start.descriptors,
            umask=start.umask,
            env=None if start.operators else environment(),
            timeout=seconds,
            check=False,
        )
    except OSError as error:
        if isinstance(error, FileNotFoundError) and "/" not in words[0]:
            raise missing(words[0]) from error
        raise ProgramError(f"{name} cannot be started: {error.strerror}", hint) from error
    except subprocess.TimeoutExpired as error:
        raise ProgramError(f"{name} took longer than {seconds:g} s", hint) from error
    if done.returncode:
        raise failed(name, done.returncode, done.stderr or b"", hint, start.lines)
    if start.prints and not done.stdout:
        said = _last_lines(done.stderr, 1)
        raise ProgramError(f"{name} printed nothing{''.join(f': {line}' for line in said)}", hint)
    return done.stdout or b""


def environment() -> dict[str, str]:
    """Give what programs need of the environment, and nothing else of it."""
    return {key: value for key, value in os.environ.items() if _NEEDED.fullmatch(key)}


def link(command: str) -> socket.socket:
    """Start a shell command; return the socket that is its stdin and stdout."""
    ours, theirs = socket.socketpair()
    with theirs:
        end = theirs.fileno()
        # In the user's own shell, as ssh does.
        shell = os.environ.get("SHELL") or "/bin/sh"
        process = subprocess.Popen((shell, "-c", f"exec {command}"), stdin=end, stdout=end)
    Thread(target=process.wait, daemon=True).start()
    return ours


def missing(program: str) -> ProgramError:
    """Return the error for a program that is not on PATH."""
    return ProgramError(f"{program} is not installed here", f"install {program}")


def failed(name: str, code: int, errors: bytes, hint: str = "", lines: int = 1) -> ProgramError:
    """Return the error for a program that ended with an exit code, or by signal `-code`."""
    by = f"was killed by signal {-code}" if code < 0 else f"failed (exit code {code})"
    said = _last_lines(errors, lines)
    if lines == 1:
        shown = "".join(f": {line.removeprefix('Error: ')}" for line in said)
    else:
        shown = ":\n" + "\n".join(f"  {line}" for line in said) if said else ""
    return ProgramError(f"{name} {by}{shown}", hint, code)


def _last_lines(errors: bytes, lines: int) -> list[str]:
    return errors.decode(errors="replace").strip().splitlines()[-lines:]
