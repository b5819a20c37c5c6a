"""Reach the live system of a machine to be installed, and verify its host key.

The installed system gets another host key, so the live one is pinned in a file of its own.
A medium holds its private key, so its key is known for a day, and for the first address only.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from certs.store import locked
from deploy.node.known_hosts import host_pattern, pin
from deploy.node.login import read_host_key
from deploy.node.target import Target, known_as
from deploy.node.trust import check_fingerprint
from deploy.options import host as parse_host
from deploy.project import Project
from deploy.workstation.files import write_atomically

LIVE_USER = "core"
_HINT = "; the key of a medium made by `fab iso` is known for one address and one day"
_DAY_SECONDS = 24 * 3600
_ANY = "-"


def live_target(project: Project, host: str, *, fingerprint: str) -> Target:
    """Make the target of the live system at `[user@]host[:port]`; verify and pin its host key.

    Raises:
        DeployError: when `host` is no address; when it shows another key than expected, or an
            unknown one without a terminal.
    """
    address, port, user = parse_host(host)
    target = Target(
        address,
        port,
        user or LIVE_USER,
        project.identity,
        project.media / "known_hosts",
    )
    real, real_number = known_as(target)
    line, shown = read_host_key(target)
    place = host_pattern(real, real_number)
    if fingerprint or not _bind(project, line, place):
        check_fingerprint(address, "host key", shown, fingerprint, hint=_HINT)
        _bind(project, line, place, is_checked=True)
    pin(target.known_hosts, real, real_number, (line,))
    return target


def remember_medium(project: Project, public: str) -> None:
    """Know a medium's host key at the first address that shows it, for a day."""
    key = _LiveKey(time.time(), _ANY, " ".join(public.split()[:2]))
    with _alone(project):
        _write(project, [*_known_keys(project), key])


@dataclass(frozen=True, slots=True)
class _LiveKey:
    made: float
    address: str
    key: str


def _bind(project: Project, line: str, place: str, *, is_checked: bool = False) -> bool:
    """Know a host key at this address only; return whether it was known for it, or is checked."""
    with _alone(project):
        known = _known_keys(project)
        found = [one for one in known if one.key == line and one.address in {_ANY, place}]
        if not found and not is_checked:
            return False
        made = found[0].made if found else time.time()
        others = [one for one in known if one.key != line]
        _write(project, [*others, _LiveKey(made, place, line)])
        return True


def _alone(project: Project) -> contextlib.AbstractContextManager[None]:
    return locked(project.media / ".host_keys.lock")


def _file(project: Project) -> Path:
    return project.media / "host_keys.pub"


def _known_keys(project: Project) -> list[_LiveKey]:
    """Read the keys that are younger than a day; older versions wrote keys without a time."""
    found = []
    for line in _file(project).read_text("utf-8").splitlines() if _file(project).exists() else ():
        with contextlib.suppress(ValueError):
            made, address, key = line.split(" ", 2)
            found.append(_LiveKey(float(made), address, key))
    return [one for one in found if -1 <= time.time() - one.made < _DAY_SECONDS]


def _write(project: Project, keys: list[_LiveKey]) -> None:
    lines = [f"{one.made:.0f} {one.address} {one.key}\n" for one in keys]
    write_atomically(_file(project), "".join(lines).encode(), 0o600)
