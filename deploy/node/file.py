"""A file to put on a node."""

import hashlib
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class File:
    """A file owned by root: absolute path, content, permission bits."""

    path: str
    content: bytes = field(repr=False)
    mode: int = 0o644

    @property
    def sha256(self) -> str:
        """The content's hash in lower-case hex."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def mode_and_owner(self) -> str:
        """Permission bits and owner, as FileState has them."""
        return f"{self.mode:o} root:root"
