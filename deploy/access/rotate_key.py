"""Replace the operator's SSH key on every node, once a login proves the new one."""

import getpass
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.access import act
from deploy.access.act import ask_access, run_audited
from deploy.access.identity import Identity, is_locked, new_key, public_key
from deploy.access.keys import file_name, renew_specs
from deploy.console import output, progress, prompt
from deploy.errors import DeployError
from deploy.fleet.nodes import Node
from deploy.project import Project
from deploy.spec.access_key import AccessKey
from deploy.spec.key_file import read_key_file
from deploy.spec.people import check_name, keys_by_person, retire, write_keys

_LONGEST_NAME = 31
_VERB = "cert-rotate-ssh"


def cert_rotate_ssh(
    nodes: tuple[Node, ...], identity: Path | None, *, given: Path | None = None, days: int = 0
) -> None:
    """Replace IDENTITY_FILE's key on every node, or finish a replacement that was interrupted.

    Without a `given` private key one is generated. It expires after `days`; 0 days: never.
    The old key is removed from a node only over a connection that the new key opened.

    Raises:
        DeployError: when a node does not accept the new key; every node still accepts the old one.
    """
    if identity is None:
        raise DeployError(
            "IDENTITY_FILE is not set: which key is to be replaced?",
            "name it there; replace keys of an agent or a token by `fab access-add` and "
            "`fab access-remove`",
        )
    mine = Identity(identity)
    mine.restore_public()
    if not mine.old_public.exists() or mine.new.exists():
        _prepare(mine, given, days)
        _authorize(mine, nodes)
    elif given:
        raise _unfinished()
    mine.swap()
    _retire_old(nodes, mine)


def _prepare(mine: Identity, given: Path | None, days: int) -> None:
    """Store the new key beside the old one, unless an interrupted run did."""
    if mine.new.exists():
        if given:
            raise _unfinished()
        output.say(f"going on with {mine.new}, which an interrupted run made")
        return
    old = public_key(mine.path)
    title = f"Read {given}" if given else "Make a new key"
    with progress.step(title, f"{given} read" if given else "new key made"):
        if given:
            public, private = public_key(given), given.read_bytes()
        else:
            private, public = _generate(mine, old)
    if public.blob == old.blob:
        raise DeployError(f"{given} is the key that is in use", "give another one")
    until = datetime.now(UTC) + timedelta(days=days) if days else None
    mine.store_new(private, public.until(until))


def _authorize(mine: Identity, nodes: tuple[Node, ...]) -> None:
    """Add the new key to every node, prove it by a login, and add it to the person's file."""
    project = nodes[0].project
    (new,) = read_key_file(mine.new_public)
    person = _person(project, public_key(mine.path))
    for node in nodes:
        name = node.name
        with progress.step(f"Add the new key to {name}", f"{name}: new key added beside the old"):
            _add(node, mine, (person, new))
    for node in nodes:
        name = node.name
        with progress.step(f"Log in to {name} with the new key", f"{name}: new key logs in"):
            _check_login(node, mine.new)
    file = f"certs/access/{person}.pub"
    with progress.step(f"Add the new key to {file}", f"{file} holds the new key"):
        others = [key for key in keys_by_person(project).get(person, ()) if key.blob != new.blob]
        write_keys(project, person, (*others, new))


def _retire_old(nodes: tuple[Node, ...], mine: Identity) -> None:
    """Remove the old key from every node and from later machine specs."""
    (old,) = read_key_file(mine.old_public, any_kind=True)
    new = public_key(mine.path)
    with progress.step("Retire the old key", "old key retired from later machine specs"):
        _retire_here(nodes[0].project, old)
    for node in nodes:
        name = node.name
        with progress.step(f"Remove the old key from {name}", f"{name}: old key removed"):
            _drop(node, mine, old, new)
    renew_specs(nodes)
    mine.finish()
    output.good(f"{mine.path} is now {new.fingerprint}; no node accepts {old.fingerprint}")


def _add(node: Node, mine: Identity, key: tuple[str, AccessKey]) -> None:
    person, new = key
    command = act.access_add(node.target.user, file_name(person, new), new.line)
    detail = f"{person} added: {new.fingerprint}"
    try:
        with node.connected() as remote:
            run_audited(remote, node.project, command, _VERB, detail)
    except DeployError:
        # An earlier run may have been interrupted after it removed the old key from this node.
        with node.connected(identity=mine.new) as remote:
            run_audited(remote, node.project, command, _VERB, detail)


def _check_login(node: Node, identity: Path) -> None:
    with node.connected(identity=identity) as remote:
        ask_access(remote, node.target.user)


def _drop(node: Node, mine: Identity, old: AccessKey, new: AccessKey) -> None:
    with node.connected(identity=mine.path) as remote:
        command = act.drop_keys(remote, node.target.user, (old,), new)
        act.revoke(remote, node.project)
        run_audited(remote, node.project, command, _VERB, f"{old.fingerprint} removed")


def _retire_here(project: Project, old: AccessKey) -> None:
    for person, keys in keys_by_person(project).items():
        if any(key.blob == old.blob for key in keys):
            write_keys(project, person, [key for key in keys if key.blob != old.blob])
    retire(project, (old,))


def _person(project: Project, old: AccessKey) -> str:
    """Find the operator's name: whose file holds the old key, else the local user's name."""
    for name, keys in keys_by_person(project).items():
        if any(key.blob == old.blob for key in keys):
            return name
    name = re.sub(r"[^a-z0-9._-]", "-", getpass.getuser().lower()).lstrip("._-")
    return check_name(name[:_LONGEST_NAME] or "operator")


def _generate(mine: Identity, old: AccessKey) -> tuple[bytes, AccessKey]:
    passphrase = ""
    if is_locked(mine.path):
        if not prompt.has_terminal():
            raise DeployError(
                f"{mine.path} has a passphrase, and there is no terminal to type the next one",
                "run the command in a terminal, or make a key and give it with --key",
            )
        passphrase = prompt.ask(f"passphrase for the new {mine.path}", hidden=True)
    return new_key(old.comment, passphrase)


def _unfinished() -> DeployError:
    return DeployError(
        "an earlier rotation was interrupted, with another key",
        "run the command without --key first, which finishes it",
    )
