"""Check whether a folder's file system is suitable and has space."""

import shutil
from pathlib import Path

from rehearsal import programs
from rehearsal.errors import RehearsalError

ELSEWHERE = "choose another place with XDG_CACHE_HOME"


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
