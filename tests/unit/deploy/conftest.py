"""A home of its own for each test, and a node that lets its key in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.app import prove
from deploy.machine.install import first_boot
from deploy.node.connection import Target
from deploy.node.known_hosts import pin
from tests.clock import Clock
from tests.unit.deploy.fake_remote import FakeRemote, reach
from tests.unit.deploy.ssh_server import Node, new_identity, running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, SSH config or agent."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture
def node(home: Path) -> Iterator[Node]:
    """A node without scripts, which lets nobody in yet."""
    with running() as one:
        yield one


@pytest.fixture
def target(node: Node, home: Path, tmp_path: Path) -> Target:
    """The way to that node, with its host key pinned and a key that it accepts."""
    identity = new_identity(tmp_path / "id")
    node.let_in(identity)
    known_hosts = tmp_path / "known_hosts"
    pin(known_hosts, "127.0.0.1", node.port, (node.host_line,))
    return Target("127.0.0.1", node.port, "core", identity, known_hosts)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Have the modules that wait for a node wait by a clock that moves only by their sleeping."""
    made = Clock()
    for waiting in (prove, first_boot):
        monkeypatch.setattr(waiting, "time", made)
    return made


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    """A node that every verb reaches: it records commands and answers from a table."""
    return reach(monkeypatch, FakeRemote())
