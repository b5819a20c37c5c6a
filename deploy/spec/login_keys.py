"""Collect the public keys that may log in: of `certs/access`, of the SSH agent, of files."""

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
    """Read the keys of `certs/access` and of SSH_KEYS (`agent`, a path or a pattern), each once.

    Retired keys are left out.

    Raises:
        DeployError: when there is no key, or a file has a line that is not a public key.
    """
    folder, sources = project.folder, project.settings.ssh_keys
    keys: dict[str, str] = {}
    for known in people(folder).values():
        keys |= {key.blob: key.line for key in known}
    for source in sources:
        for key in _keys(source, folder):
            keys.setdefault(key.blob, key.line)
    revoked = retired(folder)
    found = tuple(line for blob, line in keys.items() if blob not in revoked)
    if not found:
        raise DeployError(
            f"no SSH public key found in {', '.join(sources)}",
            "make one with `ssh-keygen -t ed25519`, or set SSH_KEYS to yours",
        )
    return found


def owners(sources: tuple[str, ...], *, folder: Path) -> dict[str, str]:
    """Map each known key's blob to its owner: a person of `certs/access`, or `SSH_KEYS`."""
    found: dict[str, str] = {}
    revoked = retired(folder)
    for source in sources:
        with contextlib.suppress(DeployError):  # a missing file is reported elsewhere
            keys = _keys(source, folder)
            found |= {key.blob: "SSH_KEYS" for key in keys if key.blob not in revoked}
    return found | {key.blob: name for name, keys in people(folder).items() for key in keys}


def agent_keys() -> tuple[AccessKey, ...]:
    """Ask the SSH agent for its keys; empty where no agent runs."""
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
    except RuntimeError:  # `~name` of an unknown user
        path = Path(pattern)
    whole = str(Path(glob.escape(str(folder))) / path)
    found = sorted(glob.glob(whole))  # noqa: PTH207 -- the pattern may be absolute
    if not found and not glob.has_magic(pattern):
        raise DeployError(f"SSH_KEYS names {pattern}, which does not exist", "correct SSH_KEYS")
    return [key for name in found for key in read_key_file(Path(name))]
