"""Send many files to a node by rsync, over the connection that is open."""

import contextlib
import os
import re
import shlex
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread

from deploy.errors import DeployError
from deploy.node import remote_shell
from deploy.node.remote import Remote
from deploy.node.script import MARK
from deploy.workstation.programs import Start, run

# Runs a program, and ends it when it has written too much: what it passes on comes from the node.
_BOUNDED = ("bash", "-o", "pipefail", "-c", '"$@" 2>&1 | head -c 65536 >&2', "bounded")
_HINT = "run the same command again; the release that serves has not changed"
_MOST_BYTES = 65536
# That of rsync 3.0.
_OLDEST_PROTOCOL = 30
# The exit code of a remote shell that failed itself.
_FAILED = 255


def send_files(
    remote: Remote, folder: Path, modes: Mapping[str, int], *, into: str, like: str
) -> None:
    """Copy files by rsync; one that equals a file below `like` on the node becomes a hard link.

    Each arrives with the mode it is mapped to.

    Raises:
        DeployError: when rsync is older than 3 or openrsync, or fails, with its last lines.
    """
    _refuse_old_rsync()
    for mode in sorted(set(modes.values())):
        # rsync takes a name that begins with # or ; for a comment.
        names = (f"./{name}".encode() + b"\0" for name in modes if modes[name] == mode)
        with _shell(remote) as (shell, number):
            words = [
                *_BOUNDED, "rsync", "-rlpc", "--from0", "--files-from=-", f"--chmod=D755,F{mode:o}",
                f"--link-dest={like}", f"--rsync-path=echo {MARK}; sudo -n rsync", "-e", shell,
                f"{folder}/", f"node:{into}/",
            ]  # fmt: skip
            start = Start(b"".join(names), lines=8, descriptors=(number,))
            run(words, doing="rsync of the project files", hint=_HINT, start=start)


def _refuse_old_rsync() -> None:
    """Refuse the rsync of macOS, 2.6.9 or openrsync: it lacks some of the options."""
    said = run(("rsync", "--version")).decode(errors="replace")
    protocol = re.search(r"protocol version (\d+)", said)
    if protocol and int(protocol[1]) < _OLDEST_PROTOCOL:
        first = said.splitlines()[0]
        raise DeployError(
            f"the rsync of this workstation is too old: {first.strip()}",
            "install rsync 3, on macOS with `brew install rsync`; it has to come first in PATH",
        )


@contextlib.contextmanager
def _shell(remote: Remote) -> Iterator[tuple[str, int]]:
    """Make a remote shell for one run of rsync: its command, and the file that it inherits.

    No other program can reach that socket, and the command holds no secret.
    """
    ours, theirs = socket.socketpair()
    serving = Thread(target=_serve, args=(remote, ours))
    serving.start()
    try:
        with theirs:
            words = (sys.executable, "-IS", remote_shell.__file__, str(theirs.fileno()))
            yield shlex.join(words), theirs.fileno()
    finally:
        # Where rsync did not come to start the shell.
        with contextlib.suppress(OSError):
            ours.shutdown(socket.SHUT_RD)
        serving.join()


def _serve(remote: Remote, link: socket.socket) -> None:
    """Run on the node what the remote shell asks for, with its files."""
    with link, contextlib.ExitStack() as files:
        line, given, _, _ = socket.recv_fds(link, _MOST_BYTES, 3)
        for file in given:
            files.callback(os.close, file)
        if not line:
            return
        try:
            code = remote.relay(os.fsdecode(line), *given)
        except (DeployError, OSError) as error:
            with contextlib.suppress(OSError):
                os.write(given[2], f"{error}\n".encode())
            code = _FAILED
        files.close()
        with contextlib.suppress(OSError):
            link.sendall(bytes([code & _FAILED]))
