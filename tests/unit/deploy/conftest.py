"""A home folder for each test, and an SSH server as a node."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.app import health
from deploy.machine.install import first_boot
from deploy.node.known_hosts import pin
from deploy.node.ssh_config import ssh_options
from deploy.node.target import Target
from deploy.settings import secrets
from tests.clock import Clock
from tests.unit.deploy.fake_remote import FakeRemote, reach
from tests.unit.deploy.ssh_server import Node, new_identity, running


@pytest.fixture(autouse=True)
def _no_secrets_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget the secrets that another test took out of the environment."""
    monkeypatch.setattr(secrets, "_taken", {})
    monkeypatch.setattr(secrets, "_fetched", set())


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without keys, SSH config or agent."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    ssh_options.cache_clear()
    return folder


@pytest.fixture
def node(home: Path) -> Iterator[Node]:
    """A node without scripts, which accepts no key yet."""
    with running() as one:
        yield one


@pytest.fixture
def target(node: Node, home: Path, tmp_path: Path) -> Target:
    """A login to that node, with its host key pinned and a key that it accepts."""
    identity = new_identity(tmp_path / "id")
    node.let_in(identity)
    known_hosts = tmp_path / "known_hosts"
    pin(known_hosts, "127.0.0.1", node.port, (node.host_line,))
    return Target("127.0.0.1", node.port, "core", identity, known_hosts)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the modules that wait for a node a clock that only their sleeping moves."""
    made = Clock()
    for waiting in (health, first_boot):
        monkeypatch.setattr(waiting, "time", made)
    return made


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    """A node that every verb reaches: it records commands and answers from a table."""
    return reach(monkeypatch, FakeRemote())
