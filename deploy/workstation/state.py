"""The local state store `state/`: manifests of deployed releases, machine specs by their hash.

And the sequence numbers of published tags.

Git ignores it and `make clean` keeps it; files have mode 0600.
"""

import json
import re
from pathlib import Path

from deploy.errors import DeployError
from deploy.workstation.files import write_atomically

STATE = Path("state")
_SEQUENCES = STATE / "published.json"
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


def saved_specs(folder: Path) -> tuple[str, ...]:
    """List the hashes of the machine specs that were saved here, the latest first."""
    files = (folder / STATE / "specs").glob("*.ign")
    latest = sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return tuple(file.stem for file in latest if _SHA256.fullmatch(file.stem))


def save_sequence(folder: Path, reference: str, sequence: int) -> None:
    """Save the highest sequence number that was signed for a tag of a registry."""
    known = {**_sequences(folder), reference: sequence}
    write_atomically(
        folder / _SEQUENCES, json.dumps(known, indent=1).encode(), 0o600, folder_mode=0o700
    )


def load_sequence(folder: Path, reference: str) -> int:
    """Load the highest sequence number that was signed here for a tag; 0 for none."""
    return _sequences(folder).get(reference, 0)


def _sequences(folder: Path) -> dict[str, int]:
    try:
        found = json.loads((folder / _SEQUENCES).read_bytes())
        return {str(key): int(value) for key, value in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DeployError(
            f"{folder / _SEQUENCES} cannot be read: {error}",
            "restore it; without it, an older image of a registry is not noticed here",
        ) from error


def _spec(folder: Path, sha256: str) -> Path:
    return folder / STATE / "specs" / f"{sha256}.ign"
