"""The operator's folder that a node belongs to: the one it was started for.

A node whose folder no longer exists belongs to none: every folder may replace or remove it.
"""

from pathlib import Path

from rehearsal import state
from rehearsal.errors import RehearsalError
from rehearsal.places import Folder


def owner_of(folder: Folder) -> Path | None:
    """Name the operator's folder that a node belongs to; none where that no longer exists."""
    record = state.load(folder)
    if record is None or not record.owner or not Path(record.owner).is_dir():
        return None
    return Path(record.owner)


def may_change(folder: Folder, owner: Path) -> bool:
    """Tell whether an operator's folder may replace, restart or remove a node."""
    return owner_of(folder) in {None, owner.resolve()}


def refuse_others(folder: Folder, owner: Path, advice: str) -> None:
    """Refuse to touch a node that belongs to another operator's folder."""
    if not may_change(folder, owner):
        raise RehearsalError(f"rehearsal node {folder.name} belongs to {owner_of(folder)}", advice)
