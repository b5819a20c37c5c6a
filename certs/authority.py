"""The project's own certificate authority: create it, and issue server certificates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.certificate import Certificate, from_x509
from certs.chain import Chain
from certs.constraints import forbidden, name_constraints
from certs.errors import CertError, Problem, refusal
from certs.keyfile import PrivateKey
from certs.names import general_names

# Clocks of nodes and visitors may be a little behind ours.
SKEW = timedelta(minutes=5)
_SERVERS_ONLY = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
_P256_BITS = 256
_LONGEST_COMMON_NAME = 64  # RFC 5280, ub-common-name
_NEW = "make a new authority"
_WIDER = "leave the name out, or make a new authority that permits it"


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate that may issue others, and its key."""

    certificate: Certificate
    key: PrivateKey = field(repr=False)


def new_authority(
    name: str,
    *,
    now: datetime,
    lifetime: timedelta,
    key: PrivateKey,
    permitted: Sequence[str] = (),
) -> Authority:
    """Make an authority that vouches for itself and issues servers' certificates only.

    Its extended key usage says so to visitors. With `permitted` it can vouch for nothing but these
    domains (and what is below them) and addresses or networks. Raises CertError with every entry
    that is neither.
    """
    subject = _subject(name)
    builder = (
        _draft(subject, subject, key.public_key(), (now, now + lifetime))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(_SERVERS_ONLY, critical=False)
    )
    if permitted:
        builder = builder.add_extension(name_constraints(permitted), critical=True)
    return Authority(from_x509(builder.sign(key, _digest(key))), key)


def issue(
    authority: Authority,
    names: Sequence[str],
    *,
    now: datetime,
    lifetime: timedelta,
    key: PrivateKey,
) -> Chain:
    """Issue a server's certificate for host names, wildcards and addresses, for `key`.

    It never outlives the authority. The authority's own certificate is not in the chain:
    visitors need it beforehand. Raises CertError with every name that cannot be vouched for.
    """
    general = general_names(names)
    issuer = authority.certificate.x509()
    _check_authority(authority, now)
    if found := [
        Problem(f"the authority may not vouch for {name}", _WIDER)
        for name in forbidden(issuer, general)
    ]:
        raise refusal(authority.certificate.common_name, found)
    until = min(now + lifetime, authority.certificate.not_after)
    subject = _leaf_subject(general)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    builder = (
        _draft(subject, issuer.subject, key.public_key(), (now, until))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(_SERVERS_ONLY, critical=False)
        .add_extension(x509.SubjectAlternativeName(general), critical=not subject.rdns)
        .add_extension(issued_by, critical=False)
    )
    leaf = from_x509(builder.sign(authority.key, _digest(authority.key)))
    return Chain((leaf,), f"issued by {authority.certificate.common_name}")


def _draft(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificatePublicKeyTypes,
    valid: tuple[datetime, datetime],
) -> x509.CertificateBuilder:
    now, until = valid
    if until <= now:
        raise CertError(f"a certificate valid until {until} would have ended", "lengthen its life")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _check_authority(authority: Authority, now: datetime) -> None:
    certificate = authority.certificate
    if not certificate.is_ca:
        raise CertError(f"{certificate.subject}: this certificate may not issue others", _NEW)
    if not certificate.not_before <= now < certificate.not_after:
        raise CertError(
            f"{certificate.subject}: the authority is valid from {certificate.not_before} "
            f"to {certificate.not_after}; now is {now}",
            f"check this machine's clock; {_NEW}",
        )
    if certificate.x509().public_key() != authority.key.public_key():
        raise CertError(f"{certificate.subject}: the authority's key is another's", _NEW)


def _subject(name: str) -> x509.Name:
    if not 1 <= len(name) <= _LONGEST_COMMON_NAME:
        raise CertError(
            f"{name!r} cannot name an authority",
            f"use 1 to {_LONGEST_COMMON_NAME} characters",
        )
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _leaf_subject(names: Sequence[x509.GeneralName]) -> x509.Name:
    # A long host name does not fit; then the subject is empty and the alternative names critical.
    first = str(names[0].value)
    return _subject(first) if len(first) <= _LONGEST_COMMON_NAME else x509.Name([])


def _digest(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384:
    large = isinstance(key, ec.EllipticCurvePrivateKey) and key.key_size > _P256_BITS
    return hashes.SHA384() if large else hashes.SHA256()


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
