"""`fab trust` pins the expected host key and no other."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from deploy.console import prompt
from deploy.errors import DeployError
from deploy.node import trust as trust_module
from deploy.node.login import connect
from deploy.node.session import target
from deploy.node.trust import trust
from deploy.project import Project
from deploy.settings.model import Settings
from tests.unit.deploy.examples import settings
from tests.unit.deploy.ssh_server import Node, new_identity

pytestmark = pytest.mark.loopback


@pytest.fixture
def given(node: Node, tmp_path: Path) -> Settings:
    node.let_in(new_identity(tmp_path / "id"))
    return settings(
        NODE_ADDRESS="127.0.0.1", NODE_PORT=str(node.port), IDENTITY_FILE=str(tmp_path / "id")
    )


def test_the_key_with_the_expected_fingerprint_is_pinned(
    node: Node, given: Settings, tmp_path: Path
) -> None:
    trust(Project(tmp_path, given), fingerprint=node.fingerprint)

    assert (tmp_path / "certs/known_hosts").read_text() == (
        f"[127.0.0.1]:{node.port} {node.host_line}\n"
    )
    with connect(target(Project(tmp_path, given)), None):
        assert node.transports[-1].is_authenticated()


def test_a_key_with_another_fingerprint_is_not_pinned(
    node: Node, given: Settings, tmp_path: Path
) -> None:
    with pytest.raises(DeployError) as caught:
        trust(Project(tmp_path, given), fingerprint="SHA256:other")

    assert caught.value.message == (
        f"127.0.0.1 shows the host key {node.fingerprint}, not SHA256:other"
    )
    assert not (tmp_path / "certs/known_hosts").exists()


def test_without_a_terminal_to_confirm_nothing_is_pinned(
    node: Node, given: Settings, tmp_path: Path
) -> None:
    with pytest.raises(DeployError, match="not a terminal"):
        trust(Project(tmp_path, given), fingerprint="")

    assert not (tmp_path / "certs/known_hosts").exists()


@pytest.mark.parametrize("agreed", [True, False])
def test_on_a_terminal_the_operator_compares_the_fingerprint(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    agreed: bool,
) -> None:
    shown = ("ssh-ed25519 AAAA", "SHA256:x")
    monkeypatch.setattr(trust_module, "read_host_key", lambda target: shown)
    monkeypatch.setattr(prompt, "has_terminal", lambda: True)
    monkeypatch.setattr(prompt, "confirm", lambda question: agreed)

    with nullcontext() if agreed else pytest.raises(DeployError, match="not pinned"):
        trust(Project(tmp_path, settings(NODE_ADDRESS="192.0.2.1")), fingerprint="")

    assert "192.0.2.1 shows the host key SHA256:x" in capsys.readouterr().out
    known_hosts = tmp_path / "certs/known_hosts"
    assert known_hosts.exists() is agreed
    assert not agreed or known_hosts.read_text() == "192.0.2.1 ssh-ed25519 AAAA\n"


def test_a_host_of_the_ssh_config_is_pinned_by_its_address(
    node: Node, given: Settings, tmp_path: Path, home: Path
) -> None:
    (home / ".ssh/config").write_text(f"Host web1\n HostName 127.0.0.1\n Port {node.port}\n")
    alias = given.model_copy(update={"node_address": "web1", "node_port": None})

    trust(Project(tmp_path, alias), fingerprint=node.fingerprint)
    with connect(target(Project(tmp_path, alias)), None):
        assert node.transports[-1].is_authenticated()


def test_a_revoked_key_is_not_pinned_though_its_fingerprint_is_right(
    node: Node, given: Settings, tmp_path: Path, home: Path
) -> None:
    (home / ".ssh/known_hosts").write_text(f"@revoked * {node.host_line}\n")

    with pytest.raises(DeployError, match="is revoked"):
        trust(Project(tmp_path, given), fingerprint=node.fingerprint)

    assert not (tmp_path / "certs/known_hosts").exists()


def test_a_key_is_pinned_under_its_hostkeyalias(
    node: Node, given: Settings, tmp_path: Path, home: Path
) -> None:
    config = f"Host web1\n HostName 127.0.0.1\n Port {node.port}\n HostKeyAlias shop\n"
    (home / ".ssh/config").write_text(config)
    project = Project(
        tmp_path, given.model_copy(update={"node_address": "web1", "node_port": None})
    )

    trust(project, fingerprint=node.fingerprint)

    assert (tmp_path / "certs/known_hosts").read_text() == f"shop {node.host_line}\n"
    with connect(target(project), None):
        assert node.transports[-1].is_authenticated()
