"""Serve a new certificate, the previous one, or the same key with a new password."""

from collections.abc import Callable
from datetime import UTC, datetime

from certs.errors import CertError
from certs.keyfile import decrypt, encrypt
from certs.pair import Pair, load, replace, restore
from certs.store import Material, read_secret, write_secret
from deploy.app.credentials import Credentials
from deploy.app.tls import alone, check_pair, load_pair, material
from deploy.certificate.serve import serve_pair
from deploy.certificate.source import CertOptions, new_pair
from deploy.console import output
from deploy.project import Project
from deploy.settings.model import CERT_PASS


def cert_rotate_https(project: Project, options: CertOptions, credentials: Credentials) -> None:
    """Get a new key and certificate and serve them; on failure restore the old pair.

    Raises:
        CertError: when no valid certificate is issued; nothing has changed.
        DeployError: when the new certificate does not serve; the old one is restored everywhere.
    """
    with alone(project):
        rotate(project, options, credentials)


def rotate(project: Project, options: CertOptions, credentials: Credentials) -> None:
    """Rotate while the caller holds the lock of the app's certificate."""
    old = load_pair(project).leaf
    pair = new_pair(project, options, credentials)
    replace(material(project), pair, now=datetime.now(UTC))
    _serve_or_restore(project, credentials)
    new = load_pair(project).leaf
    output.good(f"certificate rotated: {old.sha256[:16]} -> {new.sha256[:16]}, proven by handshake")


def cert_restore(project: Project, credentials: Credentials) -> None:
    """Serve the previous certificate again; the present one becomes the previous.

    Raises:
        CertError: when there is none, or it is no longer valid; nothing has changed.
        DeployError: when it does not serve; the present one is restored everywhere.
    """
    with alone(project):
        kept = material(project)
        present = load(kept)
        restore(kept, now=datetime.now(UTC))
        try:
            check_pair(load_pair(project), project.settings, credentials.value(CERT_PASS))
        except CertError:
            replace(kept, present, now=datetime.now(UTC))
            raise
        _serve_or_restore(project, credentials)
        leaf = load_pair(project).leaf
        output.good(f"certificate {leaf.sha256[:16]} until {leaf.not_after:%Y-%m-%d} serves again")


def change_password(project: Project, credentials: Credentials, old: Callable[[], str]) -> None:
    """Encrypt the key with a changed CERT_PASSWORD, and seal that on the node.

    The keys of the authority and of ACME accounts are encrypted with it too, where the old password
    opens them. Another run finishes an interrupted one.

    Raises:
        CertError: when neither password opens the key.
        DeployError: when the node refuses; the key and the node are unchanged.
    """
    password = credentials.value(CERT_PASS).encode()
    with alone(project):
        kept = material(project)
        present = load(kept)
        before = b""
        if _opens(present.key, password):
            output.say("CERT_PASSWORD opens the key already")
        else:
            before = old().encode()
            key = decrypt(present.key, before, source="server.key.enc")
            replace(kept, Pair(present.chain, encrypt(key, password)), now=datetime.now(UTC))
        _serve_or_restore(project, credentials, restoring=bool(before))
        _encrypt_others(kept, lambda: before or old().encode(), password)
        output.good("the key is encrypted with the new password, here and on the node")


def _serve_or_restore(
    project: Project, credentials: Credentials, *, restoring: bool = True
) -> None:
    try:
        serve_pair(project, credentials)
    except BaseException:
        if restoring:
            back = restore(material(project), now=datetime.now(UTC))
            output.say(f"previous certificate restored: SHA-256 {back.sha256}")
        raise


def _encrypt_others(kept: Material, before: Callable[[], bytes], new: bytes) -> None:
    others = (kept.authority_key, kept.ssh_authority_key, kept.request_key)
    accounts = sorted((kept.root / "acme").glob("*.key.enc"))
    for path in (*others, *accounts):
        if not path.exists() or _opens(sealed := read_secret(path), new):
            continue
        old = before()
        if not _opens(sealed, old):
            output.warn(f"{path.relative_to(kept.root)} opens with neither password; not changed")
            continue
        write_secret(path, encrypt(decrypt(sealed, old, source=str(path)), new))
        output.say(f"  {path.relative_to(kept.root)} is encrypted with it too")


def _opens(sealed: bytes, password: bytes) -> bool:
    try:
        decrypt(sealed, password, source="key")
    except CertError:
        return False
    return True
