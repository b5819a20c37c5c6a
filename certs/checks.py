"""Check whether a chain and a key can serve an app; list every problem."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise, permutations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, PublicKeyAlgorithmOID

from certs.certificate import Certificate, extension, key_type
from certs.chain import Chain
from certs.constraints import forbidden
from certs.errors import Problem
from certs.keyfile import PrivateKey

_LEAST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_WEAK_DIGESTS = ("md5", "sha1", "an unknown algorithm")
_LONGEST_SORTED = 6  # chains are short; trying every order of a long one would take forever
_REISSUE = "have the certificate issued again"


def problems(
    chain: Chain,
    key: PrivateKey | None,
    *,
    names: Sequence[str],
    now: datetime,
    anchors: Sequence[Certificate] = (),
) -> tuple[Problem, ...]:
    """List all that speaks against serving `names` with this chain and key; empty when nothing.

    Without a key, everything else is checked. With `anchors`, the last certificate must be one of
    them or issued by one; without, the chain has to hold together but may end anywhere.
    """
    return (
        *_key_problems(chain.leaf, key),
        *_leaf_problems(chain.leaf),
        *_name_problems(chain.leaf, names),
        *(one for found in chain.certificates for one in _time_problems(found, now)),
        *(one for found in chain.certificates for one in _strength_problems(found)),
        *_order_problems(chain),
        *_anchor_problems(chain, anchors),
    )


def issued(issuer: Certificate, subject: Certificate) -> bool:
    """Tell whether one certificate really issued another: by name and signature."""
    try:
        subject.x509().verify_directly_issued_by(issuer.x509())
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _key_problems(leaf: Certificate, key: PrivateKey | None) -> Iterator[Problem]:
    if key is not None and key.public_key() != leaf.x509().public_key():
        yield Problem(
            f"the key ({key_type(key)}) is not the one of certificate {leaf.sha256[:16]} "
            f"({leaf.subject}, {leaf.key_type})",
            "put the certificate and the key of one issuance together",
        )


def _leaf_problems(leaf: Certificate) -> Iterator[Problem]:
    if leaf.is_ca:
        yield Problem(
            f"{leaf.subject} is an authority's certificate, not a server's",
            "put the server's certificate first, and never serve with an authority's key",
        )
    if not leaf.names:
        yield Problem(f"{leaf.subject} names no host: browsers look at nothing else", _REISSUE)
    if leaf.x509().public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        yield Problem(
            f"{leaf.subject} is for an RSA-PSS key, which no browser takes",
            "have one issued for a key of another kind: `fab cert-request`, or "
            "`openssl genpkey -algorithm RSA` or EC",
        )
    if not _serves(leaf.x509()):
        yield Problem(f"{leaf.subject} is not for servers (no serverAuth)", _REISSUE)


def _name_problems(leaf: Certificate, names: Sequence[str]) -> Iterator[Problem]:
    for name in names:
        if not leaf.covers(name):
            named = ", ".join(leaf.names) or "none"
            yield Problem(
                f"the certificate does not cover {name}; it names {named}",
                "have it issued for all of the app's names, or correct the app's names",
            )


def _time_problems(found: Certificate, now: datetime) -> Iterator[Problem]:
    if now < found.not_before:
        yield Problem(
            f"{found.subject} is not valid before {found.not_before:%Y-%m-%d %H:%M} UTC; "
            f"now is {now:%Y-%m-%d %H:%M}",
            "check this machine's clock, or wait",
        )
    if now >= found.not_after:
        yield Problem(
            f"{found.subject} expired on {found.not_after:%Y-%m-%d %H:%M} UTC, "
            f"{-found.days_left(now)} days ago",
            "renew it, or check this machine's clock",
        )


def _strength_problems(found: Certificate) -> Iterator[Problem]:
    certificate = found.x509()
    if _weak(certificate.public_key()):
        yield Problem(
            f"{found.subject} has a weak key ({found.key_type})",
            f"use RSA of {_LEAST_RSA_BITS} bits or more, or ECDSA on P-256 or larger",
        )
    # A self-signed certificate is trusted by being there, not by its signature.
    digest = _digest(certificate)
    if digest in _WEAK_DIGESTS and found.issuer != found.subject:
        yield Problem(f"{found.subject} is signed with {digest}", _REISSUE)


def _order_problems(chain: Chain) -> Iterator[Problem]:
    doubles = [found for found, count in Counter(chain.certificates).items() if count > 1]
    if doubles:
        for found in doubles:
            times = chain.certificates.count(found)
            yield Problem(f"{found.subject} is in the file {times} times", "leave it in once")
        return
    links = list(pairwise(chain.certificates))
    broken = [(below, above) for below, above in links if not issued(above, below)]
    if broken and _orderly(chain.certificates):
        order = " > ".join(found.subject for found in chain.certificates)
        yield Problem(
            f"the certificates are in the wrong order: {order}",
            "put the server's first, and after each the one that issued it",
        )
        return
    for below, above in broken:
        yield Problem(
            f"{below.subject} was not issued by the next certificate, {above.subject}, "
            f"but by {below.issuer}",
            "put the missing certificate between them, or take out the one that does not belong",
        )
    for depth, (_, above) in enumerate(links):
        yield from _issuer_problems(chain.leaf, above, depth)


def _orderly(certificates: Sequence[Certificate]) -> bool:
    if len(certificates) > _LONGEST_SORTED:
        return False
    return any(
        all(issued(above, below) for below, above in pairwise(order))
        for order in permutations(certificates)
    )


def _issuer_problems(leaf: Certificate, issuer: Certificate, depth: int) -> Iterator[Problem]:
    if not issuer.is_ca:
        yield Problem(f"{issuer.subject} may not issue certificates", "take it out of the chain")
        return
    certificate = issuer.x509()
    limit = extension(certificate, x509.BasicConstraints)
    if limit is not None and limit.path_length is not None and depth > limit.path_length:
        yield Problem(f"{issuer.subject} may not stand {depth} issuers above a server's", _REISSUE)
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield Problem(f"{issuer.subject} may not sign certificates", _REISSUE)
    names = extension(leaf.x509(), x509.SubjectAlternativeName) or ()
    for name in forbidden(certificate, names):
        yield Problem(f"{issuer.subject} may not vouch for {name}", _REISSUE)


def _anchor_problems(chain: Chain, anchors: Sequence[Certificate]) -> Iterator[Problem]:
    last = chain.certificates[-1]
    if not anchors or last in anchors:
        return
    issuers = [anchor for anchor in anchors if issued(anchor, last)]
    if not issuers:
        trusted = ", ".join(anchor.subject for anchor in anchors)
        yield Problem(
            f"{last.subject} was issued by {last.issuer}, which is none of: {trusted}",
            "add the certificates in between, or use one of the expected authority",
        )
    for issuer in issuers:
        yield from _issuer_problems(chain.leaf, issuer, len(chain.certificates) - 1)


def _serves(leaf: x509.Certificate) -> bool:
    usage = extension(leaf, x509.ExtendedKeyUsage)
    return usage is None or any(
        purpose in usage
        for purpose in (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
    )


def _weak(key: CertificatePublicKeyTypes) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size < _LEAST_RSA_BITS
    return not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name not in _CURVES


def _digest(certificate: x509.Certificate) -> str | None:
    try:
        found = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return "an unknown algorithm"
    return found.name if found else None
