"""Create a node's cgroup (v2) on a machine that systemd does not run."""

import errno
import os
from pathlib import Path

from rehearsal.errors import RehearsalError
from rehearsal.network import Network

WANTED = ("cpu", "io", "memory", "pids")


def systemd_runs_here() -> bool:
    """Tell whether this machine's PID 1 is systemd, which gives every node a scope."""
    return Path("/run/systemd/system").is_dir()


def create(network: Network) -> Path | None:
    """Create the node's cgroup with every controller; None where systemd creates it."""
    if systemd_runs_here():
        return None
    path = _path(network)
    try:
        path.mkdir(exist_ok=True)
    except OSError as error:
        raise RehearsalError(
            f"{path}: cannot be made: {error.strerror}",
            "rehearsal nodes need a cgroup v2 they may write to",
        ) from error
    for controller in set(WANTED) & set(controllers()):
        (path.parent / "cgroup.subtree_control").write_text(f"+{controller}", encoding="ascii")
    return path


def remove(network: Network) -> bool:
    """Remove the node's cgroup and those below it; False while ended processes still occupy one."""
    if systemd_runs_here() or not (path := _path(network)).is_dir():
        return True
    try:
        for folder, _, _ in os.walk(path, topdown=False):
            Path(folder).rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def controllers() -> tuple[str, ...]:
    """List the controllers that cgroup v2 has on this machine."""
    return tuple((_mounted() / "cgroup.controllers").read_text(encoding="ascii").split())


def _path(network: Network) -> Path:
    return _mounted() / network.namespace


def _mounted() -> Path:
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
        _, path, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(path)
    raise RehearsalError(
        "cgroup v2 is not mounted on this machine",
        "mount it: mkdir -p /sys/fs/cgroup/unified; "
        "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
    )
