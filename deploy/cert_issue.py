"""Verb: issue an app's certificate from the project's own authority."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.authority import Authority, issue, new_authority
from certs.chain import read_chain
from certs.keyfile import PrivateKey, decrypt, encrypt, new_key
from certs.pair import Pair, replace
from certs.store import Material, read, read_secret, write_public, write_secret
from deploy import report
from deploy.credentials import Credentials
from deploy.settings.model import Settings
from deploy.tls import material

_AUTHORITY_DAYS = 3650
_LEAF_DAYS = 90


def cert_issue(
    folder: Path, settings: Settings, *, days: int = _LEAF_DAYS, ask: Callable[[str], str] | None
) -> None:
    """Make the authority when there is none, then a key and a certificate for CERT_NAMES.

    Both keys rest encrypted with the same password, CERT_PASSWORD; the pair before is kept.

    Raises:
        CertError: for a password that does not open the authority's key.
        DeployError: when there is no password and nobody to ask.
    """
    password = Credentials(settings, ask).value("cert_pass").encode()
    kept = material(folder, settings)
    now = datetime.now(UTC)
    authority = _authority(kept, settings, password, now)
    key = new_key()
    chain = issue(authority, settings.cert_names, now=now, lifetime=timedelta(days=days), key=key)
    replace(kept, Pair(chain.pem, encrypt(key, password)), now=now)
    leaf = chain.leaf
    report.good(f"{leaf.subject} until {leaf.not_after:%Y-%m-%d}, SHA-256 {leaf.sha256}")
    report.say(f"  certificate {kept.certificate.relative_to(folder)}")
    report.say(f"  key (encrypted) {kept.key.relative_to(folder)}")
    report.say(f"  visitors trust {kept.authority_certificate.relative_to(folder)}")


def _authority(kept: Material, settings: Settings, password: bytes, now: datetime) -> Authority:
    if kept.authority_certificate.exists():
        source = str(kept.authority_certificate)
        chain = read_chain(read(kept.authority_certificate), source=source)
        sealed = read_secret(kept.authority_key)
        return Authority(chain.leaf, decrypt(sealed, password, source=str(kept.authority_key)))
    key: PrivateKey = new_key("ecdsa-p384")
    made = new_authority(
        f"{settings.project} authority", now=now, lifetime=timedelta(days=_AUTHORITY_DAYS), key=key
    )
    write_secret(kept.authority_key, encrypt(key, password))
    write_public(kept.authority_certificate, made.certificate.pem)
    report.good(f"a new authority, {made.certificate.common_name}")
    return made
