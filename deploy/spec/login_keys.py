"""Collect the public keys that may log in to a node: people's, SSH_KEYS' and the agent's."""

import contextlib
import functools
import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.spec.access_key import AccessKey, read_key
from deploy.spec.key_file import read_good_keys, read_key_file
from deploy.spec.people import keys_by_person, retired_keys
from deploy.workstation.programs import ProgramError, run

_LONGEST_SECONDS = 5


def collect_keys(project: Project) -> tuple[str, ...]:
    """Read the keys of `certs/access` and SSH_KEYS (`agent`, a path or a pattern), each once.

    Retired keys are left out. What a pattern finds that is no key is passed over with a warning.
    With SSH=off there are none.

    Raises:
        DeployError: when no key is found, or a named file holds anything but public keys.
    """
    if project.settings.ssh == "off":
        return ()
    sources = project.settings.ssh_keys
    keys: dict[str, str] = {}
    for known in keys_by_person(project).values():
        keys |= {key.blob: key.line for key in known}
    for source in sources:
        for key in _keys(source, project.folder):
            keys.setdefault(key.blob, key.line)
    retired = retired_keys(project)
    left = tuple(line for blob, line in keys.items() if blob not in retired)
    if not left:
        raise DeployError(
            f"no SSH public key found in {', '.join(sources)}",
            "make one with `ssh-keygen -t ed25519`, or set SSH_KEYS to yours",
        )
    return left


def key_owners(projects: Sequence[Project]) -> dict[str, str]:
    """Map the holder of every known key to a person of `certs/access`, or `SSH_KEYS`.

    Files of SSH_KEYS that cannot be read are skipped.
    """
    found: dict[str, str] = {}
    retired = frozenset(blob for project in projects for blob in retired_keys(project))
    sources = {(one.folder, source) for one in projects for source in one.settings.ssh_keys}
    for folder, source in sources:
        with contextlib.suppress(DeployError):
            keys = (key for key in _keys(source, folder) if key.blob not in retired)
            found |= {key.holder: "SSH_KEYS" for key in keys}
    for project in projects:
        for name, theirs in keys_by_person(project).items():
            found |= {key.holder: name for key in theirs}
    return found


def agent_keys() -> tuple[AccessKey, ...]:
    """List the SSH agent's keys; empty without an agent."""
    try:
        output = run(["ssh-add", "-L"], seconds=_LONGEST_SECONDS).decode(errors="replace")
    except ProgramError:
        return ()
    found = (read_key(line) for line in output.split("\n"))
    return tuple(key for key in found if key and not key.options and not key.problem)


def _keys(source: str, folder: Path) -> Iterable[AccessKey]:
    return agent_keys() if source == "agent" else _files(source, folder)


def _files(pattern: str, folder: Path) -> list[AccessKey]:
    try:
        path = Path(pattern).expanduser()
    except RuntimeError:  # `~name` of a user that does not exist here
        path = Path(pattern)
    whole = str(Path(glob.escape(str(folder))) / path)
    found = sorted(glob.glob(whole))  # noqa: PTH207 -- the pattern may be absolute
    if not found and not glob.has_magic(pattern):
        raise DeployError(f"SSH_KEYS names {pattern}, which does not exist", "correct SSH_KEYS")
    if not glob.has_magic(pattern):
        return [key for name in found for key in _named(Path(name))]
    good: list[AccessKey] = []
    for name in found:
        keys, problems = read_good_keys(Path(name))
        good += keys
        for problem in problems:
            _warn(f"passed over: {problem.message}")
    return good


def _named(path: Path) -> tuple[AccessKey, ...]:
    found = read_key_file(path)
    if not found:
        raise DeployError(f"{path} holds no key", "name the .pub file of a key in SSH_KEYS")
    return found


@functools.cache
def _warn(text: str) -> None:
    """Warn once, though several steps of a command collect the keys."""
    output.warn(text)
