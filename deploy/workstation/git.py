"""Who deploys, and from which git commit."""

import getpass
import socket
from dataclasses import dataclass
from pathlib import Path

from deploy.workstation.programs import ProgramError, run

_LONGEST_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Author:
    """User and host as `user@host`, and the git commit (empty outside git)."""

    who: str
    commit: str
    dirty: bool


def author(folder: Path) -> Author:
    """Read the workstation's user, host, and the commit of a folder."""
    commit = _git(folder, "rev-parse", "HEAD")
    changed = bool(commit) and bool(_git(folder, "status", "--porcelain", "--untracked-files=no"))
    return Author(person(), commit, changed)


def person() -> str:
    """Name the workstation's user and host."""
    return f"{getpass.getuser()}@{socket.gethostname()}"


def _git(folder: Path, *words: str) -> str:
    try:
        return run(["git", "-C", str(folder), *words], seconds=_LONGEST_SECONDS).decode().strip()
    except (ProgramError, UnicodeDecodeError):
        return ""
