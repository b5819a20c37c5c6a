"""The local state store `state/`: manifests of deployed releases, machine specs by their hash.

Git ignores it and `make clean` keeps it; files have mode 0600.
"""

import re
from pathlib import Path

from deploy.workstation.files import write_atomically

STATE = Path("state")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def save_manifest(folder: Path, app: str, release: str, manifest: str) -> Path:
    """Save a copy of a release's manifest; return its path."""
    path = folder / STATE / "releases" / app / f"{release}.json"
    write_atomically(path, manifest.encode(), 0o600, folder_mode=0o700)
    return path


def save_spec(folder: Path, sha256: str, ignition: str) -> Path:
    """Save a machine spec under its hash; return its path."""
    path = _spec(folder, sha256)
    write_atomically(path, ignition.encode(), 0o600, folder_mode=0o700)
    return path


def load_spec(folder: Path, sha256: str) -> str | None:
    """Load the machine spec with this hash; None where it was not saved here."""
    if not _SHA256.fullmatch(sha256) or not (path := _spec(folder, sha256)).exists():
        return None
    return path.read_text(encoding="utf-8")


def _spec(folder: Path, sha256: str) -> Path:
    return folder / STATE / "specs" / f"{sha256}.ign"
