"""Fingerprints of layers, to find the most similar one."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

# For each file a hash of its name and size, and the size. Content is left out on purpose: two
# versions of a file of equal length make a small patch.
Fingerprint = Mapping[str, int]


def fingerprint_of(files: Iterable[tuple[str, int]]) -> Fingerprint:
    """Compute a fingerprint from names and sizes of files."""
    return {_short(name, size): size for name, size in files if size}


def fingerprint_of_tar(file: Path) -> Fingerprint:
    """Compute a fingerprint from a layer's tar, skipping file contents.

    Raises:
        OSError, tarfile.TarError: when it is not a tar.
    """
    with tarfile.open(file, "r:", errors="surrogateescape") as tar:
        return fingerprint_of((entry.name, entry.size) for entry in tar if entry.isreg())


def write(fingerprint: Fingerprint) -> bytes:
    """Encode a fingerprint for the cache."""
    return json.dumps(fingerprint, separators=(",", ":")).encode()


def read(data: bytes) -> Fingerprint:
    """Decode a fingerprint from the cache.

    Raises:
        ValueError: when it is not one.
    """
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("not a fingerprint")  # noqa: TRY004 -- as json raises for other invalid input
    return found


def _short(name: str, size: int) -> str:
    text = f"{size} {name}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=8).hexdigest()
