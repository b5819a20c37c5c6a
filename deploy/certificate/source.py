"""Where a new key and certificate come from: our own authority, ACME, or given files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.authority import Authority, issue, new_authority
from certs.bundle import read_bundle
from certs.chain import Chain, read_chain
from certs.checks import problems
from certs.errors import refusal
from certs.import_key import read_key
from certs.keyfile import PrivateKey, decrypt, encrypt, new_key
from certs.pair import Pair
from certs.signing_request import signing_request
from certs.store import Material, read, read_secret, write_public, write_secret
from deploy.app.credentials import Credentials
from deploy.app.tls import material
from deploy.certificate.acme import acme_chain
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.model import CERT_PASS, Settings

_AUTHORITY_DAYS = 3650
LEAF_DAYS = 90


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: days of life from our own authority, or files that were given.

    Without a key file, the key that `request` made is meant.
    """

    days: int = LEAF_DAYS
    certificate: Path | None = None
    key: Path | None = None


def new_pair(project: Project, wish: Wish, credentials: Credentials) -> Pair:
    """Get a new pair, checked; nothing is kept but what an authority needs of its own.

    Raises:
        CertError: when none can be had, or for every reason why it could not serve.
        DeployError: when CERT_FROM is files and none are given.
    """
    settings = project.settings
    password = credentials.value(CERT_PASS).encode()
    if wish.certificate:
        chain, key = _given(project, wish, credentials)
    elif settings.cert_from == "files":
        raise DeployError(
            "CERT_FROM is files: there is nobody to issue a certificate",
            "get one (`fab cert-request` makes a key and a request), then "
            "`fab cert-rotate-https --certificate FILE`, with `--key FILE` for a key of its own",
        )
    else:
        key = new_key(settings.cert_key)
        if settings.cert_from == "acme":
            chain = acme_chain(project, key, password)
        else:
            chain = _issued(project, wish.days, key, password)
    found = problems(chain, key, names=settings.cert_names, now=datetime.now(UTC))
    if found:
        raise refusal(chain.source, found)
    return Pair(chain.pem, encrypt(key, password))


def make_request(project: Project, credentials: Credentials) -> Path:
    """Make a key and a signing request for an outside authority; the key waits encrypted.

    Raises:
        CertError: for names that cannot be in a certificate.
    """
    password = credentials.value(CERT_PASS).encode()
    key = new_key(project.settings.cert_key)
    request = signing_request(project.settings.cert_names, key=key)
    kept = material(project)
    write_secret(kept.request_key, encrypt(key, password))
    write_public(kept.request, request)
    return kept.request


def _given(project: Project, wish: Wish, credentials: Credentials) -> tuple[Chain, PrivateKey]:
    path = wish.certificate
    if path is None:
        raise ValueError("no file was given")
    password = credentials.value(CERT_PASS).encode()
    if wish.key:
        key = read_key(read(wish.key), source=str(wish.key), password=password)
        return read_bundle(read(path), source=str(path), key=key, password=password).chain, key
    kept = material(project)
    requested = None
    if kept.request_key.exists():
        source = str(kept.request_key.relative_to(project.folder))
        requested = decrypt(read_secret(kept.request_key), password, source=source)
    bundle = read_bundle(read(path), source=str(path), key=requested, password=password)
    own = bundle.key or requested
    if own is None:
        raise DeployError(
            f"{path} brings no key, and no request was made here",
            "give the key with --key FILE, or begin with `fab cert-request`",
        )
    return bundle.chain, own


def _issued(project: Project, days: int, key: PrivateKey, password: bytes) -> Chain:
    now = datetime.now(UTC)
    authority = _authority(material(project), project.settings, password, now)
    return issue(
        authority, project.settings.cert_names, now=now, lifetime=timedelta(days=days), key=key
    )


def _authority(kept: Material, settings: Settings, password: bytes, now: datetime) -> Authority:
    if kept.authority_certificate.exists():
        source = str(kept.authority_certificate)
        chain = read_chain(read(kept.authority_certificate), source=source)
        sealed = read_secret(kept.authority_key)
        return Authority(chain.leaf, decrypt(sealed, password, source=str(kept.authority_key)))
    key: PrivateKey = new_key("ecdsa-p384")
    made = new_authority(
        f"{settings.project} authority",
        now=now,
        lifetime=timedelta(days=_AUTHORITY_DAYS),
        key=key,
        permitted=settings.cert_authority_bounds,
    )
    # One that cannot vouch for what it is made for is not kept.
    issue(made, settings.cert_names, now=now, lifetime=timedelta(days=1), key=key)
    write_secret(kept.authority_key, encrypt(key, password))
    write_public(kept.authority_certificate, made.certificate.pem)
    output.good(f"a new authority, {made.certificate.common_name}")
    return made
