"""What files a layer holds, in short: to find the layer that another is most like."""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

# A file's name and bytes, hashed, and its bytes. Content is not read: two versions of a file that
# kept its length are what a patch is good for.
Listing = Mapping[str, int]


def listing_of(files: Iterable[tuple[str, int]]) -> Listing:
    """Shorten a list of names and bytes."""
    return {_short(name, size): size for name, size in files if size}


def listing_of_tar(file: Path) -> Listing:
    """List the files of a layer's tar, whose contents are skipped.

    Raises:
        OSError, tarfile.TarError: when it is none.
    """
    with tarfile.open(file, "r:", errors="surrogateescape") as tar:
        return listing_of((entry.name, entry.size) for entry in tar if entry.isreg())


def write(listing: Listing) -> bytes:
    """Write a listing for the cache."""
    return json.dumps(listing, separators=(",", ":")).encode()


def read(data: bytes) -> Listing:
    """Read a listing of the cache.

    Raises:
        ValueError: when it is none.
    """
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("no listing")  # noqa: TRY004 -- what json raises for other rubbish
    return found


def _short(name: str, size: int) -> str:
    text = f"{size} {name}".encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=8).hexdigest()
