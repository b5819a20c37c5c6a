"""Send bulk data to a node through the system's ssh and rsync."""

import shlex
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from deploy.console import prompt
from deploy.node.remote import Remote
from deploy.node.ssh_config import NODE
from deploy.workstation.programs import Start, run

_HINT = "run the same command again; the release that serves has not changed"


@contextmanager
def ssh_command(remote: Remote) -> Iterator[tuple[str, ...]]:
    """Make the system ssh's command for a node, up to what to run there, until the block ends.

    It takes nothing from ~/.ssh/config: it goes the way of the open connection, and accepts the
    host keys that this one saw.
    """
    with tempfile.NamedTemporaryFile("w", prefix="corefab-ssh-", encoding="utf-8") as config:
        config.write(remote.ssh_config())
        config.flush()
        ask = "no" if prompt.has_terminal() else "yes"
        yield ("ssh", "-F", config.name, "-a", "-x", "-T", "-o", f"BatchMode={ask}", NODE)


def send_files(
    remote: Remote, folder: Path, modes: Mapping[str, int], *, into: str, like: str
) -> None:
    """Copy files by rsync; one that equals a file below `like` on the node becomes a hard link.

    Each arrives with the mode it is mapped to.

    Raises:
        DeployError: when rsync fails, with its last lines.
    """
    with ssh_command(remote) as (*ssh, host):
        for mode in sorted(set(modes.values())):
            # rsync takes a name that begins with # or ; for a comment.
            names = (f"./{name}".encode() + b"\0" for name in modes if modes[name] == mode)
            words = [
                "rsync", "-rlpc", "--from0", "--files-from=-", f"--chmod=D755,F{mode:o}",
                f"--link-dest={like}", "--rsync-path=sudo -n rsync", "-e", shlex.join(ssh),
                f"{folder}/", f"{host}:{into}/",
            ]  # fmt: skip
            start = Start(b"".join(names), lines=8)
            run(words, doing="rsync of the project files", hint=_HINT, start=start)
