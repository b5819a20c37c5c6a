"""The folder of local files, whose bounds no path may leave.

Stricter than Butane itself: a symbolic link may not lead out of the folder, only regular files
are read, and sizes are limited.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from butane.errors import ButaneError

FILE_LIMIT = 64 * 1024 * 1024
TOTAL_LIMIT = 256 * 1024 * 1024
_NO_FOLDER = (
    "local file paths are relative to a files directory that must be specified with -d/--files-dir"
)
_OUTSIDE = "local file path traverses outside the files directory"


@dataclass(slots=True)
class FilesFolder:
    """A folder of local files; without a root nothing can be read. `taken` counts bytes."""

    root: Path | None
    taken: int = 0

    def read(self, local: str) -> bytes:
        """Read a file of the folder; raise `ButaneError` when it may not or cannot be read."""
        return self.read_at(self.find(local))

    def read_at(self, path: Path) -> bytes:
        """Read a file whose place is known to be inside."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise ButaneError(f"{path.name} is not a regular file")
            with path.open("rb") as file:
                data = file.read(FILE_LIMIT + 1)
        except (OSError, ValueError) as error:
            raise ButaneError(f"open {path.name}: {_reason(error)}") from error
        if len(data) > FILE_LIMIT:
            raise ButaneError(f"{path.name} is larger than {FILE_LIMIT} bytes")
        self.taken += len(data)
        if self.taken > TOTAL_LIMIT:
            raise ButaneError(f"the local files are larger than {TOTAL_LIMIT} bytes together")
        return data

    def find(self, local: str) -> Path:
        """Find a path of the folder, links followed; raise `ButaneError` when it leads out."""
        lexical = self.place(local)
        try:
            real, root = lexical.resolve(), self.base().resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise ButaneError(f"open {local}: {_reason(error)}") from error
        if not real.is_relative_to(root):
            raise ButaneError(f"{_OUTSIDE} through a symbolic link")
        return real

    def folder(self, local: str) -> Path:
        """Find a folder in the folder; raise `ButaneError` when it is not one or leads out."""
        if not self.find(local).is_dir():
            missing = "" if self.place(local).exists() else f": no such directory: {local}"
            raise ButaneError(f"root of tree must be a directory{missing}")
        return self.place(local)

    def place(self, local: str) -> Path:
        """Join a local path to the folder without following links."""
        base = Path(os.path.normpath(self.base().absolute()))
        path = Path(os.path.normpath(f"{base}/{local}"))
        if not path.is_relative_to(base):
            raise ButaneError(_OUTSIDE)
        return path

    def base(self) -> Path:
        """Give the folder; raise `ButaneError` when there is none."""
        if self.root is None:
            raise ButaneError(_NO_FOLDER)
        return self.root


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.lower()
