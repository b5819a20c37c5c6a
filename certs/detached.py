"""Detached signatures: ECDSA over SHA-256, as image signatures have them."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from certs.errors import CertError
from certs.keyfile import PrivateKey


def public_key(key: PrivateKey) -> ec.EllipticCurvePublicKey:
    """Give the public half of a key that signs images; raise CertError for another kind of key."""
    return _checked(key.public_key(), source="the key that signs images")


def public_pem(key: ec.EllipticCurvePublicKey) -> bytes:
    """Write a public key as PEM."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """Compute the SHA-256 of a public key."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def read_public(pem: bytes, *, source: str) -> ec.EllipticCurvePublicKey:
    """Read a public key that signs images; raise CertError for any other."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, TypeError) as error:
        raise CertError(
            f"{source}: not a public key as PEM", "`fab publish-key` writes one"
        ) from error
    return _checked(key, source=source)


def sign(key: PrivateKey, data: bytes) -> bytes:
    """Sign data; raise CertError for a key of another kind."""
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise _other_kind("the key that signs images")
    return key.sign(data, ec.ECDSA(SHA256()))


def signed_by(key: ec.EllipticCurvePublicKey, signature: bytes, data: bytes) -> bool:
    """Return whether a signature of data is by this key."""
    try:
        key.verify(signature, data, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _checked(key: object, *, source: str) -> ec.EllipticCurvePublicKey:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _other_kind(source)
    return key


def _other_kind(source: str) -> CertError:
    return CertError(
        f"{source}: images are signed with ECDSA P-256, and this is another kind of key",
        "`fab publish-key` makes one of the right kind",
    )
