"""The project files on the workstation, which a deploy sends beside the image."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import DeployError

# Never sent to a node; `.env` and `.env.*` neither.
_SKIPPED = frozenset({".git", ".hg", ".svn", "__pycache__", ".venv", "node_modules"})


def list_files(folder: Path | None) -> dict[str, str]:
    """List the files below a folder: relative path -> fingerprint.

    A file's fingerprint is its hash, with ` x` when it is executable, a link's its target. What
    `left_out` lists is skipped.

    Raises:
        DeployError: naming everything that cannot be sent.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise DeployError(
            f"PROJECT_FILES names {folder}, which is not a folder", "correct PROJECT_FILES"
        )
    fingerprints: dict[str, str] = {}
    problems: list[str] = []
    for path in _walk(folder, problems, []):
        name = path.relative_to(folder).as_posix()
        try:
            fingerprints[name] = _fingerprint(path)
        except OSError as error:
            problems.append(f"{_shown(path)}: {error.strerror}")
        except ValueError as error:
            problems.append(f"{_shown(path)}: {error}")
    if problems:
        raise DeployError(
            "\n".join(problems), "move them out of PROJECT_FILES, or make them readable"
        )
    return fingerprints


def left_out(folder: Path | None) -> tuple[str, ...]:
    """List what of a folder is not sent: version control, settings, caches and empty folders."""
    if folder is None or not folder.is_dir():
        return ()
    skipped: list[Path] = []
    for _ in _walk(folder, [], skipped):
        pass
    return tuple(f"{_shown(path.relative_to(folder))}{'/' * path.is_dir()}" for path in skipped)


def mode_of(fingerprint: str) -> int:
    """Return the mode that a file of this fingerprint has on a node; no other bit arrives there."""
    program = fingerprint.endswith(" x") and not fingerprint.startswith("link ")
    return 0o755 if program else 0o644


def _walk(folder: Path, problems: list[str], skipped: list[Path]) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        problems.append(f"{_shown(folder)}: {error.strerror}")
        return
    if not entries:
        skipped.append(folder)
    for path in entries:
        if path.name in _SKIPPED or path.name == ".env" or path.name.startswith(".env."):
            skipped.append(path)
        elif path.is_dir() and not path.is_symlink():
            yield from _walk(path, problems, skipped)
        else:
            yield path


def _fingerprint(path: Path) -> str:
    found = path.lstat()
    if not _is_text(str(path)):
        raise ValueError("the name is not UTF-8")
    if stat.S_ISLNK(found.st_mode):
        target = os.readlink(path)  # noqa: PTH115 -- the text, not a resolved path
        if not _is_text(target):
            raise ValueError("points to a name that is not UTF-8")
        return f"link {target}"
    if not stat.S_ISREG(found.st_mode):
        raise ValueError("neither a file nor a symbolic link")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{digest} x" if found.st_mode & stat.S_IXUSR else digest


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # what os.fsdecode makes of other bytes
        return False
    return True


def _shown(path: Path) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")
