"""Who deploys, and from which state of the source."""

import getpass
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.workstation.programs import ProgramError, run

_LONGEST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Author:
    """A person at a machine, and the git commit there (empty outside git)."""

    who: str
    commit: str
    dirty: bool


def author(folder: Path) -> Author:
    """Read user, host and git state of the workstation."""
    commit = _git(folder, "rev-parse", "HEAD")
    changed = bool(commit) and bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    return Author(f"{getpass.getuser()}@{socket.gethostname()}", commit, changed)


def _git(folder: Path, *words: str) -> str:
    try:
        return run(["git", "-C", str(folder), *words], seconds=_LONGEST_SECONDS).decode().strip()
    except (ProgramError, UnicodeDecodeError):
        return ""
