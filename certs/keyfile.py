"""The encrypted key file: PKCS#8 with PBES2, PBKDF2-HMAC-SHA256 and AES-256-CBC."""

import base64
import binascii
import re
import secrets
from collections.abc import Callable
from typing import TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from certs.certificate import key_type
from certs.errors import CertError
from certs.pbes2 import Protection, read_protection, seal
from certs.work import check_work

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

ROUNDS = 600_000  # OWASP's figure of 2023 for PBKDF2-HMAC-SHA256
# openssl's -passin file: and fd: read one line of at most 1,023 bytes.
LONGEST_PASSWORD = 1023

_LABEL = "ENCRYPTED PRIVATE KEY"
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----\s(.*?)(?:-----END \1-----|\Z)", re.DOTALL)
_MAKERS: dict[str, Callable[[], PrivateKey]] = {
    "ecdsa-p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa-2048": lambda: rsa.generate_private_key(65537, 2048),
    "rsa-3072": lambda: rsa.generate_private_key(65537, 3072),
    "rsa-4096": lambda: rsa.generate_private_key(65537, 4096),
}
KINDS = tuple(_MAKERS)
_USE = f"use one of {', '.join(KINDS)}"
_RESTORE = "restore the file from where you keep a copy"


def new_key(kind: str = "ecdsa-p256") -> PrivateKey:
    """Create a key of one of KINDS."""
    if kind not in _MAKERS:
        raise CertError(f"{kind!r} is no kind of key", _USE)
    return _MAKERS[kind]()


def encrypt(key: PrivateKey, password: bytes) -> bytes:
    """Write a key as encrypted PEM, with a fresh salt and initialisation vector."""
    _check_password(password)
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    protection = Protection(ROUNDS, secrets.token_bytes(16), secrets.token_bytes(16))
    body = base64.b64encode(seal(plain, password, protection)).decode("ascii")
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN {_LABEL}-----\n{lines}\n-----END {_LABEL}-----\n".encode("ascii")


def decrypt(pem: bytes, password: bytes, *, source: str) -> PrivateKey:
    """Open an encrypted key file; raise CertError that names `source`, never the password."""
    der = envelope(pem, source=source)
    _read(der, source)
    check_work(der, source=source)
    try:
        key = load_der_private_key(der, password)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertError(
            f"{source}: the password does not open this key",
            "give the password the file was made with; if it is the right one, "
            "the file is damaged: restore it",
        ) from error
    if not isinstance(key, PrivateKey):
        raise CertError(f"{source}: {key_type(key)} keys are not supported", _USE)
    return key


def opens(pem: bytes, password: bytes) -> bool:
    """Return whether a password opens an encrypted key file."""
    try:
        decrypt(pem, password, source="key")
    except CertError:
        return False
    return True


def envelope(pem: bytes, *, source: str) -> bytes:
    """Decode an encrypted key's PEM to DER; raise CertError that says what was found instead."""
    blocks = {label.decode("ascii"): body for label, body in _PEM.findall(pem)}
    if _LABEL in blocks:
        try:
            return binascii.a2b_base64(b"".join(blocks[_LABEL].split()), strict_mode=True)
        except binascii.Error as error:
            raise CertError(f"{source}: the key's PEM is damaged: {error}", _RESTORE) from error
    if any(label.endswith("PRIVATE KEY") for label in blocks):
        raise CertError(
            f"{source}: the key is not encrypted, or not as PKCS#8",
            "import it, which encrypts it; then delete the plain file",
        )
    what = "the file is empty" if not pem.strip() else "no encrypted private key in it"
    raise CertError(f"{source}: {what}", f"expected PEM: -----BEGIN {_LABEL}-----")


def _check_password(password: bytes) -> None:
    if not password:
        raise CertError("the key's password is empty", "give a password")
    if len(password) > LONGEST_PASSWORD or any(byte in password for byte in b"\n\r\0"):
        raise CertError(
            "the key's password has a line break or a NUL in it, or is too long",
            f"use one line of at most {LONGEST_PASSWORD} bytes, or openssl will not read it",
        )


def _read(der: bytes, source: str) -> Protection:
    try:
        return read_protection(der)
    except ValueError as error:
        raise CertError(
            f"{source}: not protected by PBES2 with PBKDF2-HMAC-SHA256 and AES-256-CBC: {error}",
            "import it: that encrypts it again",
        ) from error
