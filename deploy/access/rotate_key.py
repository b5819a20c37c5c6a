"""Verb: another SSH key for the operator, proven by a login before the old one goes."""

import getpass
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.access.change import change
from deploy.access.identity import Identity, new_key, public_key
from deploy.console import output, progress, prompt
from deploy.errors import DeployError
from deploy.fleet.nodes import Node
from deploy.node import command
from deploy.node.ask_holdings import ask_access
from deploy.spec.people import AccessKey, check_name, keep_keys, people, read_key_file, retire
from deploy.spec.prepare import prepare

_LONGEST_NAME = 31
_VERB = "cert-rotate-ssh"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: a key of the operator's own to take, and how long it is to be let in."""

    key: Path | None = None
    days: int = 0


def cert_rotate_ssh(nodes: tuple[Node, ...], identity: Path | None, wish: Wish) -> None:
    """Replace IDENTITY_FILE's key on every node; an interrupted replacement is finished.

    The old key is taken off a node only over a connection that the new key opened.

    Raises:
        DeployError: when a node does not let the new key in; every node lets the old one in then.
    """
    if identity is None:
        raise DeployError(
            "IDENTITY_FILE is not set: which key is to be replaced?",
            "name it there; keys of an agent or a token change hands by `fab access-add` and "
            "`fab access-remove`",
        )
    mine = Identity(identity)
    mine.mend()
    if not mine.old_public.exists() or mine.new.exists():
        _lay(mine, wish)
        _introduce(mine, nodes)
    elif wish.key:
        raise _unfinished()
    mine.swap()
    _retire(nodes, mine)


def _lay(mine: Identity, wish: Wish) -> None:
    if mine.new.exists():
        if wish.key:
            raise _unfinished()
        output.say(f"going on with {mine.new}, which an interrupted run made")
        return
    old = public_key(mine.path)
    with progress.step("a new key is made" if wish.key is None else f"{wish.key} is taken"):
        private, public = _given(wish.key) if wish.key else _made(mine, old)
    if public.blob == old.blob:
        raise DeployError(f"{wish.key} is the key that is in use", "give another one")
    until = datetime.now(UTC) + timedelta(days=wish.days) if wish.days else None
    mine.lay_new(private, public.until(until))


def _introduce(mine: Identity, nodes: tuple[Node, ...]) -> None:
    folder = nodes[0].folder
    (new,) = read_key_file(mine.new_public)
    person = _person(folder, public_key(mine.path))
    for node in nodes:
        with progress.step(f"{node.name}: the new key is let in beside the old"):
            _add(node, mine, (person, new))
    for node in nodes:
        with progress.step(f"{node.name}: the new key logs in"):
            _prove(node, mine.new)
    with progress.step(f"certs/access/{person}.pub holds the new key for the next machine spec"):
        known = [key for key in people(folder).get(person, ()) if key.blob != new.blob]
        keep_keys(folder, person, (*known, new))


def _retire(nodes: tuple[Node, ...], mine: Identity) -> None:
    folder = nodes[0].folder
    (old,) = read_key_file(mine.old_public)
    new = public_key(mine.path)
    for node in nodes:
        with (
            progress.step(f"{node.name}: the old key is taken out"),
            node.connected(identity=mine.path) as remote,
        ):
            wanted = command.access_drop(node.target.user, new.key, (old.key,))
            change(remote, folder, wanted, _VERB, f"{old.fingerprint} is let in no more")
    with progress.step("the old key is let in by no machine spec any more"):
        for person, keys in people(folder).items():
            if any(key.blob == old.blob for key in keys):
                keep_keys(folder, person, [key for key in keys if key.blob != old.blob])
        retire(folder, (old,))
    renew_specs(nodes)
    mine.finish()
    output.good(f"{mine.path} is now {new.fingerprint}; {old.fingerprint} opens no node any more")


def _add(node: Node, mine: Identity, key: tuple[str, AccessKey]) -> None:
    person, new = key
    wanted = command.access_add(node.target.user, file_name(person, new), new.line)
    told = f"{person} is let in: {new.fingerprint}"
    try:
        with node.connected() as remote:
            change(remote, node.folder, wanted, _VERB, told)
    except DeployError:
        # An earlier run may have been cut off after the old key went from this node.
        with node.connected(identity=mine.new) as remote:
            change(remote, node.folder, wanted, _VERB, told)


def _prove(node: Node, identity: Path) -> None:
    with node.connected(identity=identity) as remote:
        ask_access(remote, node.target.user)


def renew_specs(nodes: tuple[Node, ...]) -> None:
    """Make the machine specs again that were made before: they let in other keys now."""
    for project in (project for node in nodes for project in node.projects):
        if project.ignition.exists():
            prepare(project)


def file_name(person: str, key: AccessKey) -> str:
    """Name the file on a node that lets in one key of a person."""
    mark = re.sub(r"[^A-Za-z0-9]", "", key.fingerprint.removeprefix("SHA256:"))[:12]
    return f"corefab-{person}.{mark}"


def _person(folder: Path, old: AccessKey) -> str:
    for name, keys in people(folder).items():
        if any(key.blob == old.blob for key in keys):
            return name
    name = re.sub(r"[^a-z0-9._-]", "-", getpass.getuser().lower()).lstrip("._-")
    return check_name(name[:_LONGEST_NAME] or "operator")


def _made(mine: Identity, old: AccessKey) -> tuple[bytes, AccessKey]:
    passphrase = ""
    if mine.is_locked():
        if not prompt.has_terminal():
            raise DeployError(
                f"{mine.path} has a passphrase, and nobody is there to choose the next one's",
                "run the command in a terminal, or make a key and give it with --key",
            )
        passphrase = prompt.ask(f"passphrase for the new {mine.path}", hidden=True)
    return new_key(old.comment, passphrase)


def _given(path: Path) -> tuple[bytes, AccessKey]:
    public = public_key(path)
    return path.read_bytes(), public


def _unfinished() -> DeployError:
    return DeployError(
        "an earlier rotation was interrupted, with another key",
        "run the command without --key first, which finishes it",
    )
