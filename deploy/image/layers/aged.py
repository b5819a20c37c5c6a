"""The files of a folder by age, while other processes add and remove some."""

import contextlib
from pathlib import Path
from typing import NamedTuple


class Aged(NamedTuple):
    """A file: when it was used last, and its bytes."""

    used: float
    size: int
    path: Path


def oldest_first(folder: Path) -> list[Aged]:
    """List what is in a folder, but what is gone before it was looked at."""
    found = []
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            seen = path.stat()
            found.append(Aged(seen.st_mtime, seen.st_size, path))
    return sorted(found)
