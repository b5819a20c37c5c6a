"""Get a new key and certificate: from the project's own authority, ACME, or files."""

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
from certs.store import Material, read, read_secret, write_public
from deploy.app.credentials import Credentials
from deploy.app.own_keys import open_own_key, write_own_key
from deploy.app.tls import material
from deploy.certificate.acme import acme_chain
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.model import CERT_PASS, Settings

_AUTHORITY_DAYS = 3650


@dataclass(frozen=True, slots=True)
class CertOptions:
    """Days of validity from the project's own authority, or a certificate file to use instead.

    Without a key file, the key of the certificate file or of `fab cert-request` is used.
    """

    days: int = 90
    certificate: Path | None = None
    key: Path | None = None


def new_pair(project: Project, options: CertOptions, credentials: Credentials) -> Pair:
    """Get and check a new pair; only an authority's own key and certificate are stored.

    Raises:
        CertError: when none is issued, or with every reason why it cannot serve.
        DeployError: when CERT_FROM is files and no file is given.
    """
    settings = project.settings
    password = credentials.value(CERT_PASS).encode()
    if options.certificate:
        chain, key = _given(project, options.certificate, options.key, password)
    elif settings.cert_from == "files":
        raise DeployError(
            "CERT_FROM is files, which issues none",
            "get one (`fab cert-request` makes a key and a request), then "
            "`fab cert-rotate-https --certificate FILE`, with `--key FILE` for a key of its own",
        )
    else:
        key = new_key(settings.cert_key)
        if settings.cert_from == "acme":
            chain = acme_chain(project, key, credentials)
        else:
            now = datetime.now(UTC)
            authority = _authority(material(project), settings, credentials, now)
            life = timedelta(days=options.days)
            chain = issue(authority, settings.all_names, now=now, lifetime=life, key=key)
    found = problems(chain, key, names=settings.all_names, now=datetime.now(UTC))
    if found:
        raise refusal(chain.source, found)
    if (
        options.certificate
        and len(chain.certificates) == 1
        and chain.leaf.issuer != chain.leaf.subject
    ):
        output.warn(
            f"{chain.source} holds the server's certificate alone: clients that lack the one of "
            f"{chain.leaf.issuer} refuse it. Add the certificates in between, after the server's"
        )
    return Pair(chain.pem, encrypt(key, password))


def _given(
    project: Project, path: Path, key_path: Path | None, password: bytes
) -> tuple[Chain, PrivateKey]:
    if key_path:
        key = read_key(read(key_path), source=str(key_path), password=password)
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
            f"{path} has no key, and no request was made here",
            "give the key with --key FILE, or begin with `fab cert-request`",
        )
    return bundle.chain, own


def _authority(
    kept: Material, settings: Settings, credentials: Credentials, now: datetime
) -> Authority:
    if kept.authority_certificate.exists():
        source = str(kept.authority_certificate)
        chain = read_chain(read(kept.authority_certificate), source=source)
        return Authority(chain.leaf, open_own_key(kept.authority_key, credentials))
    key: PrivateKey = new_key("ecdsa-p384")
    made = new_authority(
        f"{settings.project} authority",
        now=now,
        lifetime=timedelta(days=_AUTHORITY_DAYS),
        key=key,
        permitted=settings.cert_authority_bounds,
    )
    # Fails, before anything is stored, when the bounds exclude CERT_NAMES.
    issue(made, settings.all_names, now=now, lifetime=timedelta(days=1), key=key)
    write_own_key(kept.authority_key, key, credentials)
    write_public(kept.authority_certificate, made.certificate.pem)
    output.good(f"new authority: {made.certificate.common_name}")
    return made
