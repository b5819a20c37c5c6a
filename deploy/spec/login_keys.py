"""The public keys that may log in to a node: people's, the agent's, and those in files."""

import contextlib
import glob
from collections.abc import Iterable
from pathlib import Path

from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.people import AccessKey, people, read_key, read_key_file, retired
from deploy.workstation.programs import ProgramError, run

_LONGEST_SECONDS = 5


def collect_keys(project: Project) -> tuple[str, ...]:
    """Read the keys of `certs/access` and of SSH_KEYS: the agent (`agent`), a path or a pattern.

    Each comes once, the retired ones never.

    Raises:
        DeployError: when nothing is found, or a file holds something else than public keys.
    """
    folder, sources = project.folder, project.settings.ssh_keys
    keys: dict[str, str] = {}
    for known in people(folder).values():
        keys |= {key.blob: key.line for key in known}
    for source in sources:
        for key in _keys(source, folder):
            keys.setdefault(key.blob, key.line)
    gone = retired(folder)
    left = tuple(line for blob, line in keys.items() if blob not in gone)
    if not left:
        raise DeployError(
            f"no SSH public key found in {', '.join(sources)}",
            "make one with `ssh-keygen -t ed25519`, or name yours in SSH_KEYS",
        )
    return left


def owners(sources: tuple[str, ...], *, folder: Path) -> dict[str, str]:
    """Tell whose each known key is, by its blob: a person of `certs/access`, or `SSH_KEYS`."""
    found: dict[str, str] = {}
    gone = retired(folder)
    for source in sources:
        with contextlib.suppress(DeployError):  # whether all files are there is not asked here
            keys = _keys(source, folder)
            found |= {key.blob: "SSH_KEYS" for key in keys if key.blob not in gone}
    return found | {key.blob: name for name, keys in people(folder).items() for key in keys}


def agent_keys() -> tuple[AccessKey, ...]:
    """Ask the SSH agent for its keys; none where there is no agent."""
    try:
        said = run(["ssh-add", "-L"], seconds=_LONGEST_SECONDS).decode(errors="replace")
    except ProgramError:
        return ()
    found = (read_key(line) for line in said.splitlines())
    return tuple(key for key in found if key and not key.options)


def _keys(source: str, folder: Path) -> Iterable[AccessKey]:
    return agent_keys() if source == "agent" else _files(source, folder)


def _files(pattern: str, folder: Path) -> list[AccessKey]:
    try:
        path = Path(pattern).expanduser()
    except RuntimeError:  # the home of somebody who is not here
        path = Path(pattern)
    whole = str(Path(glob.escape(str(folder))) / path)
    found = sorted(glob.glob(whole))  # noqa: PTH207 -- the pattern may be absolute
    if not found and not glob.has_magic(pattern):
        raise DeployError(f"SSH_KEYS names {pattern}, which does not exist", "mend SSH_KEYS")
    return [key for name in found for key in read_key_file(Path(name))]
