"""Import private keys that other programs wrote, encrypted or not."""

import re
from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from certs.certificate import key_type
from certs.errors import CertError, no_panic
from certs.keyfile import PrivateKey, envelope
from certs.work import check_work

_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>[A-Z0-9 ]{0,32}PRIVATE KEY)-----.*?(?:-----END (?P=label)-----|\Z)",
    re.DOTALL,
)
_ENCRYPTED = (b"ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")
_UNREADABLE = "export the key again as PEM (PKCS#8, PKCS#1 or SEC1), RSA or ECDSA"


def find_key(data: bytes, *, source: str, password: bytes | None = None) -> PrivateKey | None:
    """Read the one private key of a PEM file; None if it has none. Raises CertError."""
    blocks = [match[0] for match in _BLOCK.finditer(data)]
    if len(blocks) > 1:
        raise CertError(f"{source}: holds {len(blocks)} private keys", "leave only one in it")
    if not blocks:
        return None
    if _ENCRYPTED[0] in blocks[0]:
        check_work(envelope(blocks[0], source=source), source=source)
    encrypted = any(mark in blocks[0] for mark in _ENCRYPTED)
    return _load(load_pem_private_key, blocks[0], source, password if encrypted else None)


def read_key(data: bytes, *, source: str, password: bytes | None = None) -> PrivateKey:
    """Read a key file in any usual form, PEM or DER; raise CertError that names the file.

    A password that the file does not need is passed over.
    """
    found = find_key(data, source=source, password=password)
    if found is not None:
        return found
    if data.startswith(b"\x30"):
        check_work(data, source=source)
        return _load(load_der_private_key, data, source, password)
    what = "the file is empty" if not data.strip() else "no private key in it"
    raise CertError(f"{source}: {what}", _UNREADABLE)


def usable(key: object, *, source: str) -> PrivateKey:
    """Accept an RSA or ECDSA key; raise CertError for any other type."""
    if isinstance(key, PrivateKey):
        return key
    raise CertError(f"{source}: {key_type(key)} keys cannot serve HTTPS", "use RSA or ECDSA")


def _load(
    loader: Callable[[bytes, bytes | None], object],
    data: bytes,
    source: str,
    password: bytes | None,
) -> PrivateKey:
    try:
        with no_panic(source):
            return usable(loader(data, password), source=source)
    except TypeError as error:
        # The library's way of saying that a password is missing, or was not needed.
        if password:
            return _load(loader, data, source, None)
        raise CertError(f"{source}: the key is encrypted", "give its password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        if password:
            raise CertError(
                f"{source}: the password does not open this key, or the file is damaged",
                "CERT_PASSWORD was tried; write the key again with that password or none: "
                "`openssl pkey -in FILE -out NEW`",
            ) from error
        raise CertError(f"{source}: the key cannot be read", _UNREADABLE) from error
