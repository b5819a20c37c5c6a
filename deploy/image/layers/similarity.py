"""Fingerprints of layers, to find the most similar one."""

import hashlib
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

# For each file a hash of its name and size, and the size. Content is left out on purpose: two
# versions of a file of equal length make a small patch.
Fingerprint: TypeAlias = dict[str, int]


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


def _short(name: str, size: int) -> str:
    text = f"{size} {name}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=8).hexdigest()
