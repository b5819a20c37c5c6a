"""A certificate's fields as plain values."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from certs.errors import CertError
from certs.names import matches

_E = TypeVar("_E", bound=x509.ExtensionType)

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}

# What cryptography raises for bytes that are no certificate; it reads extensions only on demand.
PARSE_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. `sha256` is the fingerprint of `der`, and both times carry their zone."""

    subject: str
    common_name: str
    names: tuple[str, ...]
    issuer: str
    serial: str
    sha256: str
    not_before: datetime
    not_after: datetime
    key_type: str
    is_ca: bool
    der: bytes = field(repr=False)

    def days_left(self, now: datetime) -> int:
        """Count whole days until it expires; negative once it has."""
        return (self.not_after - now) // timedelta(days=1)

    def covers(self, name: str) -> bool:
        """Tell whether it is valid for a host name or an address."""
        return any(matches(pattern, name) for pattern in self.names)

    def x509(self) -> x509.Certificate:
        """Return the library's object, for signatures and extensions."""
        with tolerant():
            return x509.load_der_x509_certificate(self.der)

    @property
    def pem(self) -> bytes:
        """The certificate as one PEM block."""
        return self.x509().public_bytes(Encoding.PEM)


@contextmanager
def tolerant() -> Iterator[None]:
    """Read what later releases of the library will refuse, such as a serial number of zero.

    Authorities made years ago have them; what matters here is judged by the checks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        # What other programs write as BER is read, with a warning that helps no one.
        warnings.filterwarnings("ignore", "PKCS#7 certificates could not be parsed as DER")
        yield


def from_der(der: bytes, *, source: str = "certificate") -> Certificate:
    """Read one certificate, from a live handshake for example; raise CertError."""
    try:
        with tolerant():
            return from_x509(x509.load_der_x509_certificate(der))
    except PARSE_ERRORS as error:
        raise CertError(f"{source}: not a certificate: {error}", "get the file again") from error


def from_x509(found: x509.Certificate) -> Certificate:
    """Read the library's object; raises one of PARSE_ERRORS if its fields are invalid."""
    constraints = extension(found, x509.BasicConstraints)
    names = extension(found, x509.SubjectAlternativeName) or ()
    return Certificate(
        subject=found.subject.rfc4514_string(),
        common_name=_common_name(found.subject),
        names=tuple(
            str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)
        ),
        issuer=found.issuer.rfc4514_string(),
        serial=f"{found.serial_number:x}",
        sha256=found.fingerprint(hashes.SHA256()).hex(),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        key_type=key_type(found.public_key()),
        is_ca=constraints is not None and constraints.ca,
        der=found.public_bytes(Encoding.DER),
    )


def key_type(key: object) -> str:
    """Name a key's type and size, such as `ECDSA P-256` or `RSA 2048`."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return f"ECDSA {_CURVES.get(key.curve.name, key.curve.name)}"
    return type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey")


def _common_name(subject: x509.Name) -> str:
    found = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    value = found[0].value if found else ""
    text = value if isinstance(value, str) else value.hex()
    # On one line: an unverified peer chooses it, and X.509 allows 64 characters.
    return " ".join(text.split())[:64]


def extension(found: x509.Certificate, kind: type[_E]) -> _E | None:
    """Return one of a certificate's extensions; None if it has none of that type."""
    try:
        return found.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
