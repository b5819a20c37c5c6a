"""Serve a new certificate, the previous one, or the same key with a new password."""

from datetime import UTC, datetime
from pathlib import Path

from certs.errors import CertError
from certs.keyfile import decrypt, encrypt, opens
from certs.pair import Pair, load, replace, restore
from certs.store import Material, read_secret, write_secret
from deploy.app.credentials import Credentials
from deploy.app.own_keys import open_own_key
from deploy.app.tls import alone, check_pair, load_pair, material
from deploy.certificate.serve import serve_pair
from deploy.certificate.source import CertOptions, new_pair
from deploy.console import output
from deploy.project import Project
from deploy.settings.model import AUTHORITY_PASS, CERT_PASS, CERT_PASS_OLD


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


def change_password(project: Project, credentials: Credentials) -> None:
    """Encrypt the key with a changed CERT_PASSWORD, and seal that on the node.

    The keys that never leave the workstation are encrypted with a changed AUTHORITY_PASSWORD.
    Another run finishes an interrupted one.

    Raises:
        CertError: when neither password opens the key.
        DeployError: when the node refuses; the key and the node are unchanged.
    """
    password = credentials.value(CERT_PASS).encode()
    kept = material(project)
    own = _own_keys(kept)
    if own:
        credentials.value(AUTHORITY_PASS)  # or fail before anything changes
    with alone(project):
        present = load(kept)
        changes = not opens(present.key, password)
        if changes:
            before = credentials.value(CERT_PASS_OLD).encode()
            key = decrypt(present.key, before, source="server.key.enc")
            replace(kept, Pair(present.chain, encrypt(key, password)), now=datetime.now(UTC))
        else:
            output.say("CERT_PASSWORD opens the key already")
        _serve_or_restore(project, credentials, restoring=changes)
        _encrypt_request(kept, credentials)
        for path in own:
            _encrypt_own(path, credentials)
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


def _encrypt_request(kept: Material, credentials: Credentials) -> None:
    new = credentials.value(CERT_PASS).encode()
    if not kept.request_key.exists() or opens(sealed := read_secret(kept.request_key), new):
        return
    old = credentials.value(CERT_PASS_OLD).encode()
    if opens(sealed, old):
        write_secret(kept.request_key, encrypt(decrypt(sealed, old, source="request"), new))
        output.say(f"  {kept.request_key.name} is encrypted with it too")
    else:
        output.warn(f"{kept.request_key.name} opens with neither password; not changed")


def _own_keys(kept: Material) -> tuple[Path, ...]:
    accounts = sorted((kept.root / "acme").glob("*.key.enc"))
    authorities = (
        kept.authority_key, kept.ssh_authority_key, kept.publish_key, kept.next_publish_key
    )  # fmt: skip
    return (*(path for path in authorities if path.exists()), *accounts)


def _encrypt_own(path: Path, credentials: Credentials) -> None:
    try:
        open_own_key(path, credentials)
    except CertError as error:
        output.warn(f"{error.message}; not changed: {error.hint}")
