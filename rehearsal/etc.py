"""Merge /etc when a node gets another /usr, as ostree does on Fedora CoreOS."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from rehearsal import programs
from rehearsal.places import Folder


def merge(old: Path, current: Path, new: Path, merged: Path) -> None:
    """Merge /etc as ostree does: `new`, and every path that is not in `current` as in `old`.

    What was changed or added stays as it is, what was removed stays away, whole folders too.
    """
    programs.run(["cp", "--archive", new, merged], doing="copying the new /etc")
    for path in sorted({*_below(old), *_below(current)}):
        kept, target = current / path, merged / path
        if _unreachable(merged, path) or _same(old / path, kept):
            continue
        if not os.path.lexists(kept):
            _remove(target)
            continue
        for folder in reversed(path.parents):
            if not os.path.lexists(merged / folder):
                _replace(current / folder, merged / folder)
        _replace(kept, target)


def update(folder: Folder, old: Path, new: Path) -> None:
    """Merge a node's /etc for the stock tree `new`; keep the present one for a rollback."""
    merged = folder.path / "etc.new"
    _remove(merged)
    merge(old / "etc", folder.etc, new / "etc", merged)
    _remove(folder.previous_etc)
    folder.etc.rename(folder.previous_etc)
    merged.rename(folder.etc)


def roll_back(folder: Folder) -> None:
    """Put back the /etc of the previous system, as it was at the update; keep the present one."""
    aside = folder.path / "etc.new"
    folder.etc.rename(aside)
    folder.previous_etc.rename(folder.etc)
    aside.rename(folder.previous_etc)


def _below(root: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(root):
        yield from ((Path(path) / name).relative_to(root) for name in (*folders, *files))


def _unreachable(root: Path, path: Path) -> bool:
    """Tell whether a link or a file is where a folder above the path was.

    What a node's link leads to is another place on this machine than on the node.
    """
    above = [root / folder for folder in path.parents]
    return any(os.path.lexists(one) and (one.is_symlink() or not one.is_dir()) for one in above)


def _same(one: Path, other: Path) -> bool:
    """Compare two paths by kind, owner, mode and content; a folder's content is not its own."""
    try:
        left, right = one.lstat(), other.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if (left.st_mode, left.st_uid, left.st_gid) != (right.st_mode, right.st_uid, right.st_gid):
        return False
    if stat.S_ISLNK(left.st_mode):
        return one.readlink() == other.readlink()
    return not stat.S_ISREG(left.st_mode) or one.read_bytes() == other.read_bytes()


def _replace(kept: Path, target: Path) -> None:
    folder = kept.is_dir() and not kept.is_symlink()
    if not (folder and target.is_dir() and not target.is_symlink()):
        _remove(target)
    if folder:
        target.mkdir(exist_ok=True)
    else:
        shutil.copy(kept, target, follow_symlinks=False)
    # A change of the owner takes setuid bits away: the mode comes after it.
    os.chown(target, kept.lstat().st_uid, kept.lstat().st_gid, follow_symlinks=False)
    shutil.copystat(kept, target, follow_symlinks=False)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
