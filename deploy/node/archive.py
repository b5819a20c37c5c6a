"""Pack files into the tar that a node unpacks."""

import io
import tarfile
from collections.abc import Iterable

from deploy.node.file import File


def pack(files: Iterable[File]) -> bytes:
    """Pack files into a tar: each at its path, owned by root."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode = len(file.content), file.mode
            archive.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()
