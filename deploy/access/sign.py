"""Sign a person's SSH key: a certificate that lets them log in for some hours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.ssh import public_line, sign_person
from certs.store import read, write_public
from deploy.access import act
from deploy.access.act import run_audited
from deploy.access.keys import file_name, renew_specs
from deploy.app.credentials import Credentials
from deploy.app.own_keys import own_key
from deploy.app.tls import material
from deploy.console import output, progress
from deploy.fleet.nodes import Node, instances
from deploy.node.session import passphrase_prompt
from deploy.project import Project
from deploy.spec.access_key import AUTHORITY, AccessKey
from deploy.spec.people import check_name, keys_by_person, write_keys

# The file of certs/access that holds the authority's public key.
_NAME = "authority"


def access_sign(
    nodes: tuple[Node, ...], project: Project, person: str, file: Path, *, hours: int
) -> None:
    """Sign a public key for some hours; the first time, make every node trust the authority.

    The authority's private key is kept encrypted with AUTHORITY_PASSWORD. The certificate is
    written beside the key as FILE-cert.pub, where ssh looks for it.

    Raises:
        CertError: for a wrong password, or a file that is not a public key.
        DeployError: when a node does not accept the authority.
    """
    check_name(person)
    credentials = Credentials(project.settings, passphrase_prompt())
    key = own_key(material(project).ssh_authority_key, credentials)
    kind, blob = public_line(key).split()[:2]
    comment = f"{project.settings.project} authority"
    users = sorted({one.node_user for one in instances(nodes)})
    valid = (datetime.now(UTC), timedelta(hours=hours))
    signed = sign_person(key, read(file), person=person, users=users, valid=valid)
    _trust(nodes, AccessKey(kind, blob, comment, AUTHORITY))
    target = file.with_name(f"{file.name.removesuffix('.pub')}-cert.pub")
    write_public(target, signed)
    output.good(f"{target}: {person} may log in as {', '.join(users)} for {hours} hours")


def _trust(nodes: tuple[Node, ...], authority: AccessKey) -> None:
    """Authorize the authority on every node, unless certs/access says that they all do."""
    project = nodes[0].project
    if any(key.blob == authority.blob for key in keys_by_person(project).get(_NAME, ())):
        return
    for node in nodes:
        done = f"{node.name}: certificates of this authority are accepted"
        with progress.step(f"Add the authority to {node.name}", done), node.connected() as remote:
            name = file_name(_NAME, authority)
            command = act.access_add(node.target.user, name, authority.line)
            detail = f"authority added: {authority.fingerprint}"
            run_audited(remote, node.project, command, "access-sign", detail)
    write_keys(project, _NAME, (authority,))
    renew_specs(nodes)
