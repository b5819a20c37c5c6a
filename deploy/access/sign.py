"""Verb: a certificate for a person's SSH key, by the project's own authority."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.keyfile import decrypt, encrypt, new_key
from certs.ssh_certificate import public_line, sign_person
from certs.store import read, read_secret, write_public, write_secret
from deploy.access import act
from deploy.access.change import change
from deploy.access.rotate_key import file_name, renew_specs
from deploy.app.credentials import Credentials
from deploy.app.tls import material
from deploy.console import output, progress
from deploy.fleet.nodes import Node, instances
from deploy.node.session import passphrase_prompt
from deploy.project import Project
from deploy.settings.model import CERT_PASS
from deploy.spec.people import AUTHORITY, AccessKey, check_name, keep_keys, people

_NAME = "authority"


def access_sign(
    nodes: tuple[Node, ...], project: Project, person: str, file: Path, *, hours: int
) -> None:
    """Sign a public key for some hours; the first time, the nodes learn to trust the authority.

    The authority's key rests encrypted with CERT_PASSWORD. The certificate is written beside the
    key as FILE-cert.pub, where ssh looks for it.

    Raises:
        CertError: for a wrong password, for a file that is no public key.
        DeployError: when a node does not take the authority.
    """
    settings = project.settings
    password = Credentials(settings, passphrase_prompt()).value(CERT_PASS).encode()
    where = material(project).ssh_authority_key
    if not where.exists():
        write_secret(where, encrypt(new_key(), password))
    key = decrypt(read_secret(where), password, source=str(where))
    kind, blob = public_line(key).split()[:2]
    _introduce(nodes, AccessKey(kind, blob, f"{settings.project} authority", AUTHORITY))
    users = sorted({one.node_user for one in instances(nodes)})
    signed = sign_person(
        key,
        read(file),
        person=check_name(person),
        users=users,
        valid=(datetime.now(UTC), timedelta(hours=hours)),
    )
    target = file.with_name(f"{file.name.removesuffix('.pub')}-cert.pub")
    write_public(target, signed)
    output.good(f"{target}: {person} may log in as {', '.join(users)} for {hours} hours")


def _introduce(nodes: tuple[Node, ...], authority: AccessKey) -> None:
    folder = nodes[0].folder
    if any(key.blob == authority.blob for key in people(folder).get(_NAME, ())):
        return
    for node in nodes:
        with (
            progress.step(f"{node.name}: people with a certificate of ours are let in"),
            node.connected() as remote,
        ):
            name = file_name(_NAME, authority)
            wanted = act.access_add(node.target.user, name, authority.line)
            told = f"whom {authority.fingerprint} signs is let in"
            change(remote, folder, wanted, "access-sign", told)
    keep_keys(folder, _NAME, (authority,))
    renew_specs(nodes)
