"""List the SSH keys that nodes authorize, with their owners."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from deploy.access.act import ask_access
from deploy.console import output
from deploy.fleet.nodes import Node
from deploy.node.holdings import AuthorizedKey
from deploy.spec.access_key import AccessKey, is_ignored, read_key
from deploy.spec.login_keys import key_owners
from deploy.spec.people import retired_keys, running_certificates

_COLUMNS = ("node", "user", "person", "key", "comment", "options", "age", "expires")
_DAY_SECONDS = 86400
_UNKNOWN, _RETIRED = "?", "retired"
_LONGEST_LINE = 200


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A line of an authorized_keys file; `key` is None when the line is not understood.

    `user` is whom it logs in as, `person` the owner as far as known, `path` the file.
    """

    user: str
    person: str
    key: AccessKey | None
    line: str
    age_seconds: int
    path: str

    @property
    def age_days(self) -> int:
        """How long the file has been there."""
        return self.age_seconds // _DAY_SECONDS

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the key."""
        return self.key.fingerprint if self.key else "not understood"

    @property
    def comment(self) -> str:
        """The comment; of a line that is not understood, how the line begins."""
        return self.key.comment if self.key else self.line[:_LONGEST_LINE]

    @property
    def problem(self) -> str:
        """What to say about a line that is not understood."""
        shown = self.line[:_LONGEST_LINE]
        return f"a line of {self.path} is not understood and may let someone log in: {shown}"

    @property
    def expires(self) -> datetime | None:
        """When sshd stops accepting the key; None for never or unknown."""
        return self.key.expires if self.key else None


def access_list(nodes: tuple[Node, ...], *, as_json: bool) -> None:
    """Show who may log in to each node, since when and until when.

    Raises:
        DeployError: when a node cannot be reached.
    """
    project = nodes[0].project
    owners = key_owners([project for node in nodes for project in node.projects])
    retired = retired_keys(project)
    running = running_certificates(project, datetime.now(UTC))
    signed = [key for key in running if key.blob not in retired]
    found: list[tuple[str, OwnedKey]] = []
    for node in nodes:
        with node.connected() as remote:
            held = ask_access(remote)
        found += [(node.name, one) for one in find_owners(held, owners, retired)]
    if as_json:
        output.as_json({
            "keys": [_facts(*one) for one in found],
            "certificates": [_certificate_facts(key) for key in signed],
        })  # fmt: skip
        return
    output.table("authorized SSH keys", _COLUMNS, [_cells(*one) for one in found])
    for key in signed:
        output.say(f"a certificate is valid as well: {describe_certificate(key)}")
    for name, one in found:
        if one.key is None:
            output.warn(f"{name}: {one.problem}")


def find_owners(
    held: Iterable[AuthorizedKey], owners: Mapping[str, str], retired: frozenset[str]
) -> Iterator[OwnedKey]:
    """Find the owner of each line of a node that sshd does not ignore."""
    for one in held:
        if is_ignored(one.line):
            continue
        person, key = _UNKNOWN, read_key(one.line)
        if key:
            person = owners.get(key.holder, _RETIRED if key.blob in retired else _UNKNOWN)
        yield OwnedKey(one.user, person, key, one.line, one.age_seconds, one.file)


def describe_certificate(key: AccessKey) -> str:
    """Describe a signed key: whose, its fingerprint, until when."""
    return f"{key.comment}, {key.fingerprint}, until {key.expires:%Y-%m-%d %H:%M} UTC"


def _certificate_facts(key: AccessKey) -> dict[str, object]:
    expires = key.expires.isoformat() if key.expires else None
    return {"person": key.comment, "fingerprint": key.fingerprint, "expires": expires}


def _facts(node: str, one: OwnedKey) -> dict[str, object]:
    return {
        "node": node,
        "user": one.user,
        "person": one.person,
        "fingerprint": one.fingerprint if one.key else None,
        "kind": one.key.kind if one.key else None,
        "comment": one.comment,
        "options": one.key.options if one.key else "",
        "line": None if one.key else one.line,
        "age_days": one.age_days,
        "expires": one.expires.isoformat() if one.expires else None,
        "path": one.path,
    }


def _cells(node: str, one: OwnedKey) -> tuple[str, ...]:
    expires = f"{one.expires:%Y-%m-%d}" if one.expires else "never"
    key = one.key
    options = key.options if key and key.options != key.until(key.expires).options else ""
    age = f"{one.age_days} d"
    return (node, one.user, one.person, one.fingerprint, one.comment, options, age, expires)
