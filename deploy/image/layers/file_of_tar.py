"""Read one small file from a layer."""

import posixpath
import tarfile
from pathlib import Path

_MOST_BYTES = 1_000_000


def file_of_tar(file: Path | None, name: str) -> bytes | None:
    """Read a file from a layer's tar; None where it has none, empty where it removes it.

    Raises:
        ValueError: when it is no plain file, or one of its folders is a link.
    """
    if file is None:
        raise ValueError("the layer is not cached")
    folder, last = posixpath.split(name)
    whiteouts = {posixpath.join(folder, f".wh.{last}"), posixpath.join(folder, ".wh..wh..opq")}
    found = None
    with tarfile.open(file, "r:") as tar:
        for member in tar:
            path = posixpath.normpath(member.name).lstrip("/")
            if path in whiteouts:
                found = found or b""
            elif path == folder and not member.isdir():
                raise ValueError(f"{folder} is no folder")
            elif path == name:
                content = tar.extractfile(member) if member.isreg() else None
                if content is None:
                    raise ValueError(f"{name} is no plain file")
                found = content.read(_MOST_BYTES)
    return found
