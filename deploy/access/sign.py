"""Sign a person's SSH key: a certificate that lets them log in for some hours."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from certs.keyfile import PrivateKey
from certs.ssh import public_line, sign_person
from certs.store import write_public
from deploy.access import act
from deploy.access.act import run_audited
from deploy.access.keys import file_name, renew_specs
from deploy.app.credentials import Credentials
from deploy.app.own_keys import own_key
from deploy.app.tls import material
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.fleet.nodes import Node, instances
from deploy.node.session import passphrase_prompt
from deploy.project import Project
from deploy.spec.access_key import AUTHORITY, AccessKey
from deploy.spec.key_file import read_key_file
from deploy.spec.people import (
    check_name,
    keys_by_person,
    retired_keys,
    running_certificates,
    write_keys,
    write_signed,
)

# The file of certs/access that holds the authority's public key.
_NAME = "authority"


def access_sign(
    nodes: tuple[Node, ...], project: Project, person: str, file: Path, *, hours: int
) -> None:
    """Sign a public key for some hours; the first time, make every node trust the authority.

    The authority's private key is kept encrypted with AUTHORITY_PASSWORD; a retired one is deleted,
    and another made. The certificate is written beside the key as FILE-cert.pub, where ssh looks.

    Raises:
        CertError: for a wrong password, or a key that cannot be signed.
        DeployError: for a file without a public key, for a retired key, and when a node does not
            accept the authority.
    """
    check_name(person)
    public = _public_key(file, retired_keys(project))
    key = _authority_key(project, Credentials(project.settings, passphrase_prompt()))
    kind, blob = public_line(key).split()[:2]
    comment = f"{project.settings.project} authority"
    users = sorted({one.node_user for one in instances(nodes)})
    now, lifetime = datetime.now(UTC), timedelta(hours=hours)
    signed = sign_person(
        key, public.blob.encode(), person=person, users=users, valid=(now, lifetime)
    )
    _trust(nodes, AccessKey(kind, blob, comment, AUTHORITY))
    note = AccessKey(public.kind, public.key, person).until(now + lifetime)
    write_signed(project, (*running_certificates(project, now), note))
    target = file.with_name(f"{file.name.removesuffix('.pub')}-cert.pub")
    write_public(target, signed)
    output.good(f"{target}: {person} may log in as {', '.join(users)} for {hours} hours")


def _public_key(file: Path, retired: frozenset[str]) -> AccessKey:
    keys = read_key_file(file)
    if len(keys) != 1:
        raise DeployError(f"{file} holds {len(keys)} keys", "name a .pub file with one key")
    if keys[0].blob in retired:
        raise DeployError(
            f"{file} holds a retired key, {keys[0].fingerprint}: it is not signed",
            "ask for another key; `fab access-add` takes a retired key back",
        )
    return keys[0]


def _authority_key(project: Project, credentials: Credentials) -> PrivateKey:
    """Read the authority's key; replace a retired one, whose certificates must stay invalid."""
    path = material(project).ssh_authority_key
    key = own_key(path, credentials)
    if " ".join(public_line(key).split()[:2]) in retired_keys(project):
        path.unlink()
        key = own_key(path, credentials)
    return key


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
