"""Verbs: a new certificate served, an earlier one, or the same key under a new password."""

from collections.abc import Callable
from datetime import UTC, datetime

from certs.errors import CertError
from certs.keyfile import decrypt, encrypt
from certs.pair import Pair, load, replace, restore
from certs.store import Material, read_secret, write_secret
from deploy.app.credentials import Credentials
from deploy.app.tls import alone, check_pair, load_pair, material
from deploy.certificate.serve import deliver
from deploy.certificate.source import Wish, new_pair
from deploy.console import output
from deploy.project import Project
from deploy.settings.model import CERT_PASS


def cert_rotate_https(project: Project, wish: Wish, credentials: Credentials) -> None:
    """Get a new key and certificate and serve it; the old pair comes back on failure.

    Raises:
        CertError: when nothing can be had, or it could not serve; nothing has changed then.
        DeployError: when the new certificate is not served; the old one is, here and there.
    """
    with alone(project):
        rotate(project, wish, credentials)


def rotate(project: Project, wish: Wish, credentials: Credentials) -> None:
    """Do that, for somebody who holds the lock already."""
    old = load_pair(project).leaf
    pair = new_pair(project, wish, credentials)
    replace(material(project), pair, now=datetime.now(UTC))
    _deliver_or_restore(project, credentials)
    new = load_pair(project).leaf
    output.good(f"certificate rotated: {old.sha256[:16]} -> {new.sha256[:16]}, proven by handshake")


def cert_restore(project: Project, credentials: Credentials) -> None:
    """Serve the certificate before the present one again; that one is kept in its turn.

    Raises:
        CertError: when none is kept, or it could not serve any more; nothing has changed then.
        DeployError: when it is not served; the present one is, here and there.
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
        _deliver_or_restore(project, credentials)
        leaf = load_pair(project).leaf
        output.good(f"certificate {leaf.sha256[:16]} until {leaf.not_after:%Y-%m-%d} is back")


def change_password(project: Project, credentials: Credentials, old: Callable[[], str]) -> None:
    """Encrypt the key anew with CERT_PASSWORD, which was changed, and re-seal that on the node.

    The keys of the authority and of ACME accounts follow, as far as the old password opens them.
    A run that was interrupted is finished by the next.

    Raises:
        CertError: when neither password opens the key.
        DeployError: when the node does not take it; the key and the node are as they were.
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
        _deliver_or_restore(project, credentials, restoring=bool(before))
        _follow(kept, lambda: before or old().encode(), password)
        output.good("the key is encrypted with the new password, here and on the node")


def _deliver_or_restore(
    project: Project, credentials: Credentials, *, restoring: bool = True
) -> None:
    try:
        deliver(project, credentials)
    except BaseException:
        if restoring:
            back = restore(material(project), now=datetime.now(UTC))
            output.say(f"the certificate before it is back: SHA-256 {back.sha256}")
        raise


def _follow(kept: Material, before: Callable[[], bytes], new: bytes) -> None:
    others = (kept.authority_key, kept.ssh_authority_key, kept.request_key)
    accounts = sorted((kept.root / "acme").glob("*.key.enc"))
    for path in (*others, *accounts):
        if not path.exists() or _opens(sealed := read_secret(path), new):
            continue
        old = before()
        if not _opens(sealed, old):
            output.warn(f"{path.relative_to(kept.root)} opens with neither password: left as it is")
            continue
        write_secret(path, encrypt(decrypt(sealed, old, source=str(path)), new))
        output.say(f"  {path.relative_to(kept.root)} is encrypted with it too")


def _opens(sealed: bytes, password: bytes) -> bool:
    try:
        decrypt(sealed, password, source="key")
    except CertError:
        return False
    return True
