"""List the SSH keys that nodes authorize, with their owners."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from deploy.access.act import ask_access
from deploy.console import output
from deploy.fleet.nodes import Node
from deploy.node.holdings import AuthorizedKey
from deploy.spec.access_key import AccessKey, read_key
from deploy.spec.login_keys import key_owners
from deploy.spec.people import retired_keys

_COLUMNS = ("node", "person", "key", "comment", "age", "expires")
_DAY_SECONDS = 86400
_UNKNOWN, _RETIRED = "?", "retired"


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A key that a node authorizes, its owner as far as known, and the file it stands in."""

    person: str
    key: AccessKey
    age_seconds: int
    path: str

    @property
    def age_days(self) -> int:
        """How long the file has been there."""
        return self.age_seconds // _DAY_SECONDS


def access_list(nodes: tuple[Node, ...], *, as_json: bool) -> None:
    """Show who may log in to each node, since when and until when.

    Raises:
        DeployError: when a node cannot be reached.
    """
    owners = key_owners([project for node in nodes for project in node.projects])
    retired = retired_keys(nodes[0].project)
    found: list[tuple[str, OwnedKey]] = []
    for node in nodes:
        with node.connected() as remote:
            held = ask_access(remote, node.target.user)
        found += [(node.name, one) for one in find_owners(held, owners, retired)]
    if as_json:
        output.as_json({"keys": [_facts(*one) for one in found]})
    else:
        output.table("authorized SSH keys", _COLUMNS, [_cells(*one) for one in found])


def find_owners(
    held: Iterable[AuthorizedKey], owners: Mapping[str, str], retired: frozenset[str]
) -> Iterator[OwnedKey]:
    """Find the owner of each line of a node that is a key."""
    for one in held:
        if key := read_key(one.line):
            person = owners.get(key.blob, _RETIRED if key.blob in retired else _UNKNOWN)
            yield OwnedKey(person, key, one.age_seconds, one.file)


def _facts(node: str, one: OwnedKey) -> dict[str, object]:
    return {
        "node": node,
        "person": one.person,
        "fingerprint": one.key.fingerprint,
        "kind": one.key.kind,
        "comment": one.key.comment,
        "age_days": one.age_days,
        "expires": one.key.expires.isoformat() if one.key.expires else None,
        "path": one.path,
    }


def _cells(node: str, one: OwnedKey) -> tuple[str, ...]:
    expires = f"{one.key.expires:%Y-%m-%d}" if one.key.expires else "never"
    age = f"{one.age_days} d"
    return (node, one.person, one.key.fingerprint, one.key.comment, age, expires)
