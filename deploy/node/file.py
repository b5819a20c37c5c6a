"""Files to put on a node, packed into the tar that it unpacks."""

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class File:
    """A file: absolute path, content, permission bits, and the user and group that own it."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644
    uid: int = 0

    @property
    def sha256(self) -> str:
        """The content's hash in lower-case hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def mode_and_owner(self) -> str:
        """Permission bits and owner, as FileState has them."""
        return f"{self.mode:o} root:root"


def pack(files: Iterable[File]) -> bytes:
    """Pack files into a tar: each at its path, with its mode and owner."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for file in files:
            entry = tarfile.TarInfo(file.path.lstrip("/"))
            entry.size, entry.mode = len(file.content), file.mode
            entry.uid = entry.gid = file.uid
            archive.addfile(entry, io.BytesIO(file.content))
    return packed.getvalue()
