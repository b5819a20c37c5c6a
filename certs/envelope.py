"""What machines and operators tell each other: encrypted to a key (CMS, RSA); signatures."""

import base64
import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import NameOID

from certs.certificate import PARSE_ERRORS, tolerant
from certs.errors import CertError, no_panic
from certs.keyfile import PrivateKey

KIND = "rsa-3072"
_LEAST_BITS, _MOST_BITS = 2048, 8192
_LIFETIME = timedelta(days=36_500)


def self_signed(key: PrivateKey, name: str, *, now: datetime) -> bytes:
    """Make the certificate by which others encrypt to a key, as PEM."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + _LIFETIME)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def read_certificates(pem: bytes, *, source: str) -> tuple[x509.Certificate, ...]:
    """Read certificates of RSA keys; raise CertError for anything else."""
    try:
        with tolerant(), no_panic(source):
            found = tuple(x509.load_pem_x509_certificates(pem))
            keys = [one.public_key() for one in found]
    except PARSE_ERRORS as error:
        raise CertError(f"{source}: not a certificate as PEM: {error}", "get it again") from error
    for key in keys:
        if not isinstance(key, rsa.RSAPublicKey) or not _LEAST_BITS <= key.key_size <= _MOST_BITS:
            raise CertError(f"{source}: not the certificate of an RSA key", "get it again")
    return found


def fingerprint(certificate: x509.Certificate) -> str:
    """Compute the fingerprint of a certificate, written as ssh writes those of keys."""
    digest = hashlib.sha256(certificate.public_bytes(Encoding.DER)).digest()
    return f"SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


def has_signed(certificate: x509.Certificate, signature: bytes, data: bytes) -> bool:
    """Return whether a signature of data is by a certificate's key."""
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, data, PKCS1v15(), SHA256())
            return True
    except InvalidSignature:
        pass
    return False


def make_envelope(data: bytes, certificate: x509.Certificate) -> bytes:
    """Encrypt data to the key of a certificate, as DER."""
    builder = pkcs7.PKCS7EnvelopeBuilder().set_data(data).add_recipient(certificate)
    builder = builder.set_content_encryption_algorithm(AES256)
    return builder.encrypt(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def open_envelope(
    data: bytes, certificates: Iterable[x509.Certificate], key: PrivateKey, *, source: str
) -> bytes:
    """Decrypt what was encrypted to a key; raise CertError where it was not."""
    own = next((one for one in certificates if one.public_key() == key.public_key()), None)
    if own is None or not isinstance(key, rsa.RSAPrivateKey):
        raise CertError(f"{source}: there is no certificate of this key", "use the key's own file")
    try:
        with no_panic(source):
            return pkcs7.pkcs7_decrypt_der(data, own, key, [])
    except PARSE_ERRORS as error:
        raise CertError(f"{source} does not open with this key") from error
