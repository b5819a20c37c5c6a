"""Reach the live system of a machine to be installed, and verify its host key.

The installed system gets another host key, so the live one is pinned in a file of its own.
A medium holds its private key, so its key is known for a day, and for the first address only.
"""

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from deploy.node.known_hosts import host_pattern, pin
from deploy.node.login import read_host_key
from deploy.node.target import Target, resolve
from deploy.node.trust import check_host_key
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
    real, real_number = resolve(target)
    line, shown = read_host_key(target)
    known = _known_keys(project)
    place = host_pattern(real, real_number)
    found = [one for one in known if one.key == line and one.address in {_ANY, place}]
    if fingerprint or not found:
        check_host_key(address, shown, fingerprint, _HINT)
    made = found[0].made if found else time.time()
    others = [one for one in known if one.key != line]
    _write(project, [*others, _LiveKey(made, place, line)])
    pin(target.known_hosts, real, real_number, (line,))
    return target


def remember_medium(project: Project, public: str) -> None:
    """Know a medium's host key at the first address that shows it, for a day."""
    key = _LiveKey(time.time(), _ANY, " ".join(public.split()[:2]))
    _write(project, [*_known_keys(project), key])


@dataclass(frozen=True, slots=True)
class _LiveKey:
    made: float
    address: str
    key: str


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
