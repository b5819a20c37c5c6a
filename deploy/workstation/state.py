"""What the workstation keeps of the past: releases that were deployed, specs machines were born of.

Everything lies in `state/`, which git ignores and `make clean` leaves alone; 0600 each.
"""

import re
from pathlib import Path

from deploy.workstation.files import write_atomically

STATE = Path("state")
_MARK = re.compile(r"[0-9a-f]{64}")


def save_manifest(folder: Path, app: str, release: str, manifest: str) -> Path:
    """Keep a copy of a release's manifest."""
    path = folder / STATE / "releases" / app / f"{release}.json"
    _keep(path, manifest.encode())
    return path


def save_spec(folder: Path, mark: str, ignition: str) -> Path:
    """Keep a machine spec under the mark that a machine made of it bears."""
    path = _spec(folder, mark)
    _keep(path, ignition.encode())
    return path


def load_spec(folder: Path, mark: str) -> str | None:
    """Find the spec that a machine was born of; None where it is not kept here."""
    if not _MARK.fullmatch(mark) or not (path := _spec(folder, mark)).exists():
        return None
    return path.read_text(encoding="utf-8")


def _spec(folder: Path, mark: str) -> Path:
    return folder / STATE / "specs" / f"{mark}.ign"


def _keep(path: Path, content: bytes) -> None:
    write_atomically(path, content, 0o600, folder_mode=0o700)
