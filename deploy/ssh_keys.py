"""The public keys that may log in to a node: from the agent and from files."""

import glob
import re
import subprocess
from pathlib import Path

from deploy.errors import DeployError

_KEY = re.compile(
    r"(?P<kind>(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+) (?P<key>[A-Za-z0-9+/]+=*)(?: +(?P<comment>.*))?"
)
_LONGEST_SECONDS = 5


def collect_keys(sources: tuple[str, ...], *, folder: Path) -> tuple[str, ...]:
    """Read the keys of the agent (`agent`) and of files (a path or a pattern), each once.

    Raises:
        DeployError: when nothing is found, or a file holds something else than public keys.
    """
    keys: dict[str, str] = {}
    for source in sources:
        lines = _agent() if source == "agent" else _files(source, folder)
        for line in lines:
            keys.setdefault(" ".join(line.split()[:2]), line)
    if not keys:
        raise DeployError(
            f"no SSH public key found in {', '.join(sources)}",
            "make one with `ssh-keygen -t ed25519`, or name yours in SSH_KEYS",
        )
    return tuple(keys.values())


def _agent() -> list[str]:
    try:
        done = subprocess.run(
            ["ssh-add", "-L"], capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return []
    return [key for line in done.stdout.splitlines() if (key := _clean(line))]


def _files(pattern: str, folder: Path) -> list[str]:
    try:
        path = Path(pattern).expanduser()
    except RuntimeError:  # the home of somebody who is not here
        path = Path(pattern)
    whole = str(Path(glob.escape(str(folder))) / path)
    found = sorted(glob.glob(whole))  # noqa: PTH207 -- the pattern may be absolute
    if not found and not glob.has_magic(pattern):
        raise DeployError(f"SSH_KEYS names {pattern}, which does not exist", "mend SSH_KEYS")
    return [key for name in found for key in _keys_of(Path(name))]


def _keys_of(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{path} cannot be read: {error}", "name public key files") from error
    keys = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        if not (key := _clean(line)):
            raise DeployError(
                f"{path}:{number}: not an SSH public key",
                "SSH_KEYS names .pub files, never private keys",
            )
        keys.append(key)
    return keys


def _clean(line: str) -> str:
    """Keep a key's comment to letters that mean nothing to YAML or a shell."""
    match = _KEY.fullmatch(line.strip())
    if not match:
        return ""
    comment = re.sub(r"[^A-Za-z0-9@._+ -]", "_", match["comment"] or "").strip()
    return f"{match['kind']} {match['key']} {comment}".strip()
