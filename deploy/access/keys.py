"""Verbs: let a person in on every node, let them in no more, and say who is let in."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.access import act
from deploy.access.act import ask_access
from deploy.access.change import change
from deploy.access.identity import public_key
from deploy.access.rotate_key import file_name, renew_specs
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.fleet.nodes import Node, instances
from deploy.node.holdings import AuthorizedKey
from deploy.spec.login_keys import agent_keys, owners
from deploy.spec.people import (
    AccessKey,
    check_name,
    keep_keys,
    people,
    read_key,
    read_key_file,
    retire,
    retired,
    welcome,
)

_COLUMNS = ("node", "person", "key", "comment", "age", "expires")
_DAY_SECONDS = 86400
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class LetIn:
    """A key that a node lets in, whose it is, and for how long it has stood there."""

    node: str
    person: str
    key: AccessKey
    age_days: int
    path: str


def access_add(nodes: tuple[Node, ...], name: str, file: Path, *, days: int) -> None:
    """Let a person's keys in everywhere, and in the machine specs to come.

    Raises:
        DeployError: for a file without a key; before any node is touched.
    """
    until = datetime.now(UTC) + timedelta(days=days) if days else None
    keys = [key.until(until) if days else key for key in read_key_file(file)]
    if not keys:
        raise DeployError(f"{file} holds no key", "name a .pub file")
    check_name(name)
    folder = nodes[0].folder
    others = [key for key in people(folder).get(name, ()) if key.blob not in _blobs(keys)]
    for node in nodes:
        with progress.step(f"{node.name}: {name} is let in"), node.connected() as remote:
            for key in keys:
                wanted = act.access_add(node.target.user, file_name(name, key), key.line)
                told = f"{name} is let in: {key.fingerprint}{_until(key)}"
                change(remote, folder, wanted, "access-add", told)
    welcome(folder, keys)
    keep_keys(folder, name, (*others, *keys))
    renew_specs(nodes)
    for key in keys:
        output.good(f"{name}: {key.fingerprint}{_until(key)}")


def access_remove(nodes: tuple[Node, ...], name: str, *, identity: Path | None) -> None:
    """Take a person's keys off every node and out of the machine specs to come.

    Raises:
        DeployError: for a person unknown here, or when nobody else could log in any more.
    """
    folder = nodes[0].folder
    keys = people(folder).get(name, ())
    if not keys:
        known = ", ".join(people(folder)) or "nobody"
        raise DeployError(f"certs/access has no keys of {name!r}", f"it has keys of {known}")
    _refuse_own(name, keys, identity)
    keep = public_key(identity).key if identity else ""
    # First out of the specs: whatever interrupts this, the next run still knows the keys.
    retire(folder, keys)
    for node in nodes:
        with progress.step(f"{node.name}: {name} is let in no more"), node.connected() as held:
            blobs = tuple(key.key for key in keys)
            wanted = act.access_drop(node.target.user, keep, blobs)
            told = ", ".join(key.fingerprint for key in keys)
            change(held, folder, wanted, "access-remove", f"{name} is let in no more: {told}")
    keep_keys(folder, name, ())
    renew_specs(nodes)
    output.good(f"{name} is let in nowhere any more")


def access_show(nodes: tuple[Node, ...], *, as_json: bool) -> None:
    """Say who is let in where, since when and until when."""
    found: list[LetIn] = []
    folder = nodes[0].folder
    sources = tuple(source for one in instances(nodes) for source in one.ssh_keys)
    known = owners(tuple(dict.fromkeys(sources)), folder=folder)
    for node in nodes:
        with node.connected() as remote:
            held = ask_access(remote, node.target.user)
        found += _let_in(known, retired(folder), node.name, held)
    if as_json:
        output.as_json({"keys": [facts(one) for one in found]})
    else:
        output.table("who is let in", _COLUMNS, [_cells(one) for one in found])


def _let_in(
    known: Mapping[str, str], gone: frozenset[str], node: str, held: Iterable[AuthorizedKey]
) -> Iterator[LetIn]:
    """Name the person of each line that lets somebody in."""
    for one in held:
        if key := read_key(one.line):
            person = known.get(key.blob, "retired" if key.blob in gone else UNKNOWN)
            yield LetIn(node, person, key, one.age_seconds // _DAY_SECONDS, one.file)


def facts(one: LetIn) -> dict[str, object]:
    """Write a key that is let in for programs."""
    return {
        "node": one.node,
        "person": one.person,
        "fingerprint": one.key.fingerprint,
        "kind": one.key.kind,
        "comment": one.key.comment,
        "age_days": one.age_days,
        "expires": one.key.expires.isoformat() if one.key.expires else None,
        "path": one.path,
    }


def _cells(one: LetIn) -> tuple[str, ...]:
    expires = f"{one.key.expires:%Y-%m-%d}" if one.key.expires else "never"
    age = f"{one.age_days} d"
    return (one.node, one.person, one.key.fingerprint, one.key.comment, age, expires)


def _refuse_own(name: str, keys: tuple[AccessKey, ...], identity: Path | None) -> None:
    mine = (public_key(identity),) if identity else agent_keys()
    if mine and not _blobs(mine) - _blobs(keys):
        raise DeployError(
            f"{name}'s keys are the ones that you log in with yourself",
            "let a colleague do it, or get another key first: `fab cert-rotate-ssh`",
        )


def _blobs(keys: tuple[AccessKey, ...] | list[AccessKey]) -> set[str]:
    return {key.blob for key in keys}


def _until(key: AccessKey) -> str:
    return f", until {key.expires:%Y-%m-%d %H:%M} UTC" if key.expires else ""
