"""The keys that sign images, and the public keys by which nodes know them."""

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

from certs.detached import fingerprint, public_key, public_pem, read_public
from certs.keyfile import PrivateKey
from certs.store import read, write_public
from deploy.app.credentials import Credentials
from deploy.app.own_keys import open_own_key, own_key
from deploy.app.tls import material
from deploy.console import output
from deploy.errors import DeployError
from deploy.node.session import passphrase_prompt
from deploy.project import Project


def signing_keys(project: Project, credentials: Credentials) -> tuple[PrivateKey, ...]:
    """Open the keys that sign images; make the first one.

    Raises:
        CertError: when AUTHORITY_PASSWORD does not open one.
        DeployError: when the nodes would refuse its signature, or it is not on this machine.
    """
    kept = material(project)
    keys = [_key(kept.publish_key, project.publish_key, credentials)]
    if kept.next_publish_key.exists():
        keys.append(open_own_key(kept.next_publish_key, credentials))
    if public_key(keys[0]) not in trusted_keys(project):
        raise DeployError(
            f"PULL_KEYS does not name the key that signs here, {project.publish_key}",
            "add it, or nodes will refuse what is published",
        )
    return tuple(keys)


def trusted_keys(project: Project) -> tuple[EllipticCurvePublicKey, ...]:
    """Read the public keys of PULL_KEYS.

    Raises:
        CertError: for what is no key that signs images.
        DeployError: for a file that is not there.
    """
    for path in project.pull_keys:
        if not path.exists():
            raise DeployError(
                f"PULL_KEYS names {path}, which is not there",
                "write it (`fab publish-key` writes this workstation's), or remove it",
            )
    return tuple(read_public(read(path), source=str(path)) for path in project.pull_keys)


def publish_key(project: Project, *, following: bool, finish: bool) -> None:
    """Show the keys that sign images; make the first or the following one, or finish a change.

    Raises:
        DeployError: when there is no following key to change to.
    """
    kept = material(project)
    credentials = Credentials(project.settings, passphrase_prompt())
    if finish:
        _finish(project)
    _key(kept.publish_key, project.publish_key, credentials)
    if following:
        _key(kept.next_publish_key, project.next_publish_key, credentials)
    for path in (project.publish_key, project.next_publish_key):
        if path.exists():
            found = fingerprint(read_public(read(path), source=str(path)))
            output.say(f"{path}: SHA-256 {found}")
    if following:
        output.say(
            "images are signed with both keys now. Name both files in PULL_KEYS; when every node "
            "has the new one and every tag is signed with it (`fab promote live live`), "
            "run `fab publish-key --finish`"
        )


def _key(path: Path, public: Path, credentials: Credentials) -> PrivateKey:
    """Open a key and check its public file; make both at the first use."""
    if public.exists() and not path.exists():
        raise DeployError(
            f"{public} is here, and its private key {path} is not",
            "copy it from the workstation that made it; or remove the public key, to begin with a "
            "new one, which nodes accept once they have it",
        )
    key = own_key(path, credentials)
    if not public.exists():
        write_public(public, public_pem(public_key(key)))
        output.good(f"{public}: the key by which nodes know what is published from here")
    elif read(public) != public_pem(public_key(key)):
        raise DeployError(
            f"{public} is not the public half of {path}",
            f"remove {public.name}: it is written again; after an interrupted "
            "`fab publish-key --finish`, run that again",
        )
    return key


def _finish(project: Project) -> None:
    """Replace the present key by the following one; another call finishes an interrupted one."""
    kept = material(project)
    if not project.next_publish_key.exists():
        raise DeployError("there is no following key", "`fab publish-key --following` makes one")
    if kept.next_publish_key.exists():
        kept.next_publish_key.replace(kept.publish_key)
    project.next_publish_key.replace(project.publish_key)
    output.good("images are signed with the following key alone")
