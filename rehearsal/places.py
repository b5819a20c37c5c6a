"""Paths of rehearsal, one folder in the user's cache; its disk, and locks on files."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal import programs
from rehearsal.errors import RehearsalError

ELSEWHERE = "choose another place with XDG_CACHE_HOME"
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")


def cache() -> Path:
    """Return rehearsal's folder in the user's cache; create it if missing."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    parent = Path(chosen) if Path(chosen).is_absolute() else Path.home() / ".cache"
    folder = parent / "corefab" / "rehearsal"
    try:
        (folder / "nodes").mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RehearsalError(f"{folder}: cannot be made: {error.strerror}", ELSEWHERE) from error
    if not os.access(folder / "nodes", os.R_OK | os.W_OK | os.X_OK):
        raise RehearsalError(
            f"{folder / 'nodes'}: belongs to another user, who started rehearsal nodes",
            "run the command as that user, most likely root (sudo)",
        )
    return folder


def require_space(path: Path, wanted_bytes: int) -> None:
    """Refuse a file system that is nearly full."""
    free = shutil.disk_usage(path).free
    if free < wanted_bytes:
        raise RehearsalError(
            f"{path}: {free >> 20} MiB are free, {wanted_bytes >> 20} MiB are needed",
            f"make room, or {ELSEWHERE}",
        )


def require_layers(path: Path) -> None:
    """Refuse a file system on which podman cannot stack image layers."""
    kind = programs.run(["stat", "--file-system", "--format=%T", path], doing="looking at the disk")
    if kind.strip() == "overlayfs":
        raise RehearsalError(
            f"{path}: lies on an overlay file system, where podman cannot stack image layers",
            ELSEWHERE,
        )


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths of one node's files."""

    path: Path

    @property
    def name(self) -> str:
        """The node's name."""
        return self.path.name

    @property
    def etc(self) -> Path:
        """The node's /etc."""
        return self.path / "etc"

    @property
    def previous_etc(self) -> Path:
        """The /etc of the system before the last update, as it was then."""
        return self.path / "etc.previous"

    @property
    def var(self) -> Path:
        """The node's /var."""
        return self.path / "var"

    @property
    def console(self) -> Path:
        """The node's console output."""
        return self.path / "console.log"

    @property
    def pidfile(self) -> Path:
        """The supervisor's pid and start time, and the workstation's boot id."""
        return self.path / "supervisor"

    @property
    def record(self) -> Path:
        """The node's record, as JSON."""
        return self.path / "state.json"

    @property
    def ignition(self) -> Path:
        """The config given to Ignition; mode 0600."""
        return self.path / "config.ign"

    @property
    def kept(self) -> Path:
        """What is mounted in the node: a line for each, with folder here, tab, folder there."""
        return self.path / "kept"

    @property
    def known_hosts(self) -> Path:
        """The node's host keys as known_hosts."""
        return self.path / "known_hosts"

    def alone(self) -> AbstractContextManager[None]:
        """Keep other commands from changing the node until the block ends."""
        return locked(self.path.with_suffix(".lock"))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on the file, which ends with the process; wait for another holder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def folder(name: str) -> Folder:
    """Return the folder of a node, which may not exist."""
    if not NAME.fullmatch(name):
        raise RehearsalError(
            f"node name {name!r}: only a-z, 0-9 and inner hyphens, at most 32 characters",
            "a good name is short: www, test-1",
        )
    return Folder(cache() / "nodes" / name)


def folders() -> tuple[Folder, ...]:
    """List the folders of all nodes."""
    nodes = cache() / "nodes"
    return tuple(Folder(path) for path in sorted(nodes.iterdir()) if path.is_dir())
