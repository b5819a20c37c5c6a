"""Send bulk data to a node through the system's ssh and rsync."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from deploy.node.target import Target
from deploy.workstation.programs import Start, run

_CONNECT_SECONDS = 10
_ALIVE_SECONDS = 15
_HINT = "run the same command again; the release that serves has not changed"


def ssh_command(target: Target) -> tuple[str, ...]:
    """Build the system ssh's command for a node, up to the host; it accepts pinned keys only."""
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


def send_files(
    target: Target, folder: Path, modes: Mapping[str, int], *, into: str, like: str
) -> None:
    """Copy files by rsync; one that equals a file below `like` on the node becomes a hard link.

    Each arrives with the mode it is mapped to. Raises DeployError when rsync fails.
    """
    host = f"[{target.host}]" if ":" in target.host else target.host
    for mode in sorted(set(modes.values())):
        # rsync takes a name that begins with # or ; for a comment.
        names = (f"./{name}".encode() + b"\0" for name in modes if modes[name] == mode)
        words = [
            "rsync", "-rlpc", "--from0", "--files-from=-", f"--chmod=D755,F{mode:o}",
            f"--link-dest={like}", "--rsync-path=sudo -n rsync",
            "-e", " ".join(_rsync_word(word) for word in ssh_command(target)),
            f"{folder}/", f"{host}:{into}/",
        ]  # fmt: skip
        start = Start(b"".join(names), lines=8)
        run(words, doing="rsync of the project files", hint=_HINT, start=start)


def _quoted(path: Path) -> str:
    text = str(path)
    return f'"{text}"' if " " in text else text


def _rsync_word(word: str) -> str:
    """Quote a word for rsync's -e, which understands quotes but no escapes."""
    return shlex.quote(word) if "'" not in word else f'"{word}"'
