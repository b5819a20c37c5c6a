"""Create SSH host keys for machines that are not installed yet."""

import base64
import hashlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)


@dataclass(frozen=True, slots=True)
class HostKey:
    """An Ed25519 key in OpenSSH's formats."""

    private: bytes = field(repr=False)
    public: str

    @property
    def fingerprint(self) -> str:
        """Write the fingerprint as OpenSSH does: SHA256:…."""
        digest = hashlib.sha256(base64.b64decode(self.public.split()[1])).digest()
        return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def new_host_key() -> HostKey:
    """Create a key; its private part stays in memory."""
    key = Ed25519PrivateKey.generate()
    return HostKey(
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode(),
    )
