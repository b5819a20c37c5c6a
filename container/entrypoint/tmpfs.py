"""Check that a folder is on a file system in memory, so that nothing in it reaches a disk."""

from __future__ import annotations

import os
from pathlib import Path

from container.errors import ContainerError

IN_MEMORY = ("tmpfs", "ramfs")


def require_memory(folder: str, *, mountinfo: str = "/proc/self/mountinfo") -> None:
    """Refuse a folder that is missing, not writable, or not on a file system in memory."""
    try:
        device = Path(folder).stat().st_dev
    except OSError as error:
        raise ContainerError(
            f"{folder}: {error.strerror}", "mount a tmpfs there", code=os.EX_IOERR
        ) from error
    kind = filesystem(device, Path(mountinfo).read_text(encoding="utf-8", errors="replace"))
    if kind not in IN_MEMORY:
        raise ContainerError(
            f"{folder} is on {kind or 'an unknown file system'}, and a plain key must not reach"
            " a disk",
            "mount a tmpfs there",
            code=os.EX_IOERR,
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ContainerError(
            f"{folder} is not writable for uid {os.getuid()}",
            "give the tmpfs that owner, or mode=1777",
            code=os.EX_IOERR,
        )


def filesystem(device: int, mountinfo: str) -> str:
    """Name the type of the file system with this device number; empty when it is not mounted.

    A tmpfs has a device number of its own, so no comparison of paths is needed (proc(5)).
    """
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        if before.split()[2:3] == [wanted] and after:
            return after.split()[0]
    return ""
