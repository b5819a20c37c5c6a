"""SSH keys, and certificates with which a person's key may log in for a limited time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_public_key,
)

from certs.errors import CertError
from certs.keyfile import PrivateKey

# Clocks of nodes may be a little behind ours.
_SKEW = timedelta(minutes=5)
LONGEST = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class SshKey:
    """An Ed25519 key in OpenSSH's formats; `public` is `ssh-ed25519 AAAA…`."""

    private: bytes = field(repr=False)
    public: str


def new_ssh_key(passphrase: str = "") -> SshKey:
    """Create a key, encrypted if there is a passphrase; it stays in memory."""
    key = Ed25519PrivateKey.generate()
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, lock)
    return SshKey(private, public_line(key))


def public_line(key: PrivateKey | Ed25519PrivateKey) -> str:
    """Write the public key of a private key as OpenSSH does."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def sign_person(
    authority: PrivateKey,
    public: bytes,
    *,
    person: str,
    users: Sequence[str],
    valid: tuple[datetime, timedelta],
) -> bytes:
    """Sign a public key for a person to log in as `users`, from now and for so long.

    Raises:
        CertError: for what is no public key, and for a life that is not short.
    """
    now, lifetime = valid
    if not timedelta(0) < lifetime <= LONGEST:
        raise CertError(
            f"an SSH certificate for {lifetime} is not short-lived",
            f"ask for at most {LONGEST.days * 24} hours: it cannot be called back",
        )
    try:
        key = load_ssh_public_key(public)
        builder = SSHCertificateBuilder().public_key(key)  # type: ignore[arg-type]
    except (ValueError, TypeError, UnsupportedAlgorithm, NotImplementedError) as error:
        raise CertError(f"{person}'s key cannot be signed: {error}", "use Ed25519") from error
    certificate = (
        builder.type(SSHCertificateType.USER)
        .serial(int(now.timestamp()))
        .key_id(person.encode())
        .valid_principals([user.encode() for user in users])
        .valid_after(int((now - _SKEW).timestamp()))
        .valid_before(int((now + lifetime).timestamp()))
        .add_extension(b"permit-port-forwarding", b"")
        .add_extension(b"permit-pty", b"")
        .sign(authority)
    )
    return certificate.public_bytes() + b"\n"
