"""Certificates of every wrong kind, made for tests."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from certs.certificate import Certificate, from_x509
from certs.chain import Chain

NOW = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Recipe:
    subject: str = "www.example.org"
    names: tuple[str, ...] = ("www.example.org",)
    start: datetime = NOW - DAY
    end: datetime = NOW + 90 * DAY
    ca: bool = False
    path_length: int | None = None
    signs: bool = True
    purpose: ObjectIdentifier | None = SERVER


@dataclass(frozen=True, slots=True)
class Made:
    certificate: Certificate
    key: Key


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def forge(recipe: Recipe, issuer: Made | None = None, key: Key | None = None) -> Made:
    """Make a certificate, self-signed without an issuer, checking nothing."""
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, recipe.subject)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.x509().subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(recipe.start)
        .not_valid_after(recipe.end)
        .add_extension(x509.BasicConstraints(recipe.ca, recipe.path_length), critical=True)
    )
    if recipe.names:
        builder = builder.add_extension(_alternatives(recipe.names), critical=False)
    if recipe.purpose and not recipe.ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([recipe.purpose]), critical=False)
    if recipe.ca:
        builder = builder.add_extension(_usage(signs=recipe.signs), critical=True)
    return Made(from_x509(builder.sign(issuer.key if issuer else key, hashes.SHA256())), key)


def authority(name: str = "Root", issuer: Made | None = None, **rest: int) -> Made:
    recipe = Recipe(subject=name, names=(), ca=True, end=NOW + 3650 * DAY, **rest)  # type: ignore[arg-type]
    return forge(recipe, issuer)


def chained(*made: Made) -> Chain:
    return Chain(tuple(one.certificate for one in made), "server.crt")


def _alternatives(names: tuple[str, ...]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(
        [
            x509.IPAddress(ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
            for name in names
        ]
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
