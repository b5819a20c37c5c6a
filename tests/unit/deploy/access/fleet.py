"""Two nodes that an operator's folder names, for the verbs that visit every node."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest

from deploy.access.identity import public_key
from deploy.fleet import nodes
from deploy.fleet.nodes import Node
from deploy.node.command import Command
from deploy.node.target import Target
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote
from tests.unit.deploy.ssh_server import new_identity

HOSTS = ("one", "two")


@dataclass
class Fleet:
    """The nodes, what each was asked, and with which key each login was made."""

    folder: Path
    remotes: dict[str, FakeRemote] = field(
        default_factory=lambda: {host: FakeRemote() for host in HOSTS}
    )
    logins: list[tuple[str, Path | None]] = field(default_factory=list)

    @property
    def identity(self) -> Path:
        """The operator's private key."""
        return self.folder / "id"

    @property
    def project(self) -> Project:
        """The instance on the first node."""
        return self.nodes[0].project

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Both nodes, with an instance each."""
        return nodes.nodes(
            Project(
                self.folder,
                settings(
                    NAME=host,
                    NODE_ADDRESS=host,
                    IDENTITY_FILE="id",
                    SSH_KEYS="id.pub",
                    CERT_PASSWORD="hunter2",
                ),
            )
            for host in HOSTS
        )

    def changes(self, host: str) -> list[Command]:
        """Give the commands of a node that change who may log in."""
        scripts = ("access-add", "access-drop", "access-revoke")
        return [one for one in self.remotes[host].commands if one.script in scripts]

    def authorize(self, *lines: str) -> None:
        """Have every node list these lines, and those that are added to it."""
        for host, remote in self.remotes.items():
            remote.answers["access-list"] = partial(self._listing, host, lines)

    def _listing(self, host: str, lines: tuple[str, ...], _: Command) -> str:
        added = (one.stdin.decode() for one in self.remotes[host].all_of("access-add"))
        return json.dumps([
            {"user": "core", "file": "/f", "age_seconds": 90000, "line": line}
            for line in (*lines, *added)
        ])  # fmt: skip

    def journal(self, host: str) -> str:
        """Give all lines that were written to a node's journal."""
        return "\n".join(one.arguments[0] for one in self.remotes[host].all_of("audit"))


def fleet_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """Make an operator's folder, and have every login reach its nodes."""
    new_identity(folder / "id")
    made = Fleet(folder)
    made.authorize(public_key(made.identity).line)

    @contextmanager
    def connect(target: Target, *_: object, **__: object) -> Iterator[FakeRemote]:
        made.logins.append((target.host, target.identity))
        yield made.remotes[target.host]

    monkeypatch.setattr(nodes, "connect", connect)
    return made
