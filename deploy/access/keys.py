"""Add a person's SSH keys to every node, or remove them from every node."""

import re
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.access import act
from deploy.access.act import run_audited
from deploy.access.identity import public_key
from deploy.access.list import describe_certificate
from deploy.app.tls import material
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.fleet.nodes import Node
from deploy.spec.access_key import AccessKey
from deploy.spec.key_file import read_key_file
from deploy.spec.login_keys import agent_keys
from deploy.spec.people import (
    check_name,
    keys_by_person,
    reinstate,
    retire,
    running_certificates,
    write_keys,
    write_signed,
)
from deploy.spec.prepare import prepare


def access_add(nodes: tuple[Node, ...], person: str, file: Path, *, days: int) -> None:
    """Authorize a person's keys on every node and in later machine specs; 0 days: for ever.

    Raises:
        DeployError: when the file holds no key, before any node is changed; or a node refuses.
    """
    expires = datetime.now(UTC) + timedelta(days=days)
    keys = [key.until(expires) if days else key for key in read_key_file(file)]
    if not keys:
        raise DeployError(f"{file} holds no key", "name a .pub file")
    check_name(person)
    project = nodes[0].project
    others = [
        key for key in keys_by_person(project).get(person, ()) if key.blob not in _blobs(keys)
    ]
    for node in nodes:
        with progress.step(f"Add {person} to {node.name}", f"{node.name}: {person} added"):
            _authorize(node, person, keys)
    reinstate(project, keys)
    write_keys(project, person, (*others, *keys))
    renew_specs(nodes)
    for key in keys:
        output.good(f"{person}: {key.fingerprint}{_until(key)}")


def access_remove(nodes: tuple[Node, ...], person: str, *, identity: Path | None) -> None:
    """Remove a person's keys from every node and from later machine specs; end their certificates.

    Raises:
        DeployError: for an unknown person, for the operator's own keys, or when a node refuses
            since no other key would be left.
    """
    project = nodes[0].project
    running = running_certificates(project, datetime.now(UTC))
    signed = tuple(key for key in running if key.comment == person)
    keys = (*keys_by_person(project).get(person, ()), *signed)
    if not keys:
        known = ", ".join(keys_by_person(project)) or "no one"
        raise DeployError(f"certs/access has no keys of {person!r}", f"it has keys of {known}")
    _refuse_own(person, keys, identity)
    keep = public_key(identity) if identity else None
    # Retired before any node is changed; the person's file goes last, so that the command can be
    # run again after an interruption.
    retire(project, keys)
    for node in nodes:
        with progress.step(f"Remove {person} from {node.name}", f"{node.name}: {person} removed"):
            _remove(node, person, keys, keep)
    if any(key.is_authority for key in keys):
        # Another authority signs from now on: what this one signed would be valid again with it.
        material(project).ssh_authority_key.unlink(missing_ok=True)
        write_signed(project, ())
        signed = running
    write_keys(project, person, ())
    renew_specs(nodes)
    for key in signed:
        output.say(f"every node refuses a certificate: {describe_certificate(key)}")
    output.good(f"{person} removed from every node")


def renew_specs(nodes: Iterable[Node]) -> None:
    """Prepare again the machine specs that were prepared before, with the present keys."""
    for project in (project for node in nodes for project in node.projects):
        if project.ignition.exists():
            prepare(project)


def file_name(person: str, key: AccessKey) -> str:
    """Name the file on a node that authorizes one key of a person."""
    digest = re.sub(r"[^A-Za-z0-9]", "", key.fingerprint.removeprefix("SHA256:"))[:12]
    return f"corefab-{person}.{digest}"


def _authorize(node: Node, person: str, keys: Collection[AccessKey]) -> None:
    with node.connected() as remote:
        act.revoke(remote, node.project, but=keys)
        for key in keys:
            command = act.access_add(node.target.user, file_name(person, key), key.line)
            detail = f"{person} added: {key.fingerprint}{_until(key)}"
            run_audited(remote, node.project, command, "access-add", detail)


def _remove(node: Node, person: str, keys: tuple[AccessKey, ...], keep: AccessKey | None) -> None:
    prints = dict.fromkeys(key.fingerprint for key in keys)
    detail = f"{person} removed: {', '.join(prints)}"
    with node.connected() as remote:
        command = act.drop_keys(remote, node.target.user, keys, keep)
        act.revoke(remote, node.project)
        run_audited(remote, node.project, command, "access-remove", detail)


def _refuse_own(person: str, keys: tuple[AccessKey, ...], identity: Path | None) -> None:
    mine = (public_key(identity),) if identity else agent_keys()
    if mine and not _blobs(mine) - _blobs(keys):
        raise DeployError(
            f"{person}'s keys are the ones that you log in with",
            "let a colleague remove them, or get another key first: `fab cert-rotate-ssh`",
        )


def _blobs(keys: Iterable[AccessKey]) -> set[str]:
    return {key.blob for key in keys}


def _until(key: AccessKey) -> str:
    return f", until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else ""
