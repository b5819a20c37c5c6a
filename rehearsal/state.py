"""The record of a node between commands."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from rehearsal.errors import RehearsalError
from rehearsal.network import Network
from rehearsal.places import Folder


@dataclass(frozen=True, slots=True)
class Record:
    """A node's network, stock tree and owner; once it is ready, its SSH port and the time it took.

    `previous` is the stock tree that it ran before its last update.

    The owner is the operator's folder it was started for; empty where an older version recorded
    none. A node whose folder no longer exists belongs to none: every folder may remove it.
    """

    slot: int
    base: str
    seconds: float = 0.0
    port: int = 22
    ready: bool = False
    owner: str = ""
    previous: str = ""

    @property
    def network(self) -> Network:
        """The node's network."""
        return Network(self.slot)


def save(folder: Folder, record: Record) -> None:
    """Replace the record on disk."""
    written = folder.record.with_suffix(".new")
    written.write_text(json.dumps(asdict(record)) + "\n", encoding="utf-8")
    written.replace(folder.record)


def load(folder: Folder) -> Record | None:
    """Read the record; None if it is missing or incomplete."""
    try:
        return Record(**json.loads(folder.record.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def owner_of(folder: Folder) -> Path | None:
    """Name the operator's folder that a node belongs to; none where that no longer exists."""
    record = load(folder)
    if record is None or not record.owner or not Path(record.owner).is_dir():
        return None
    return Path(record.owner)


def may_change(folder: Folder, owner: Path, *, unrecorded: bool = True) -> bool:
    """Tell whether an operator's folder may replace, restart or remove a node.

    `unrecorded` is the answer for a node of an older version, which records no folder.
    """
    record = load(folder)
    if record and not record.owner:
        return unrecorded
    return owner_of(folder) in {None, owner.resolve()}


def refuse_others(folder: Folder, owner: Path, advice: str) -> None:
    """Refuse to touch a node that belongs to another operator's folder."""
    if not may_change(folder, owner):
        raise RehearsalError(f"rehearsal node {folder.name} belongs to {owner_of(folder)}", advice)


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, from the first byte on."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
