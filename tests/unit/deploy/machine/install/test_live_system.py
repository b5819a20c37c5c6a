"""A live system is known by its medium's key, by a fingerprint, or not at all."""

from pathlib import Path

import pytest

from certs.ssh import new_ssh_key
from deploy.errors import DeployError
from deploy.machine.install.live_system import live_target
from deploy.machine.media.media import live_config, remember_medium
from deploy.node.known_hosts import pinned
from deploy.project import MEDIA, Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.ssh_server import Node

pytestmark = pytest.mark.loopback


def look(node: Node, folder: Path, fingerprint: str = "") -> tuple[str, ...]:
    chosen = settings(NODE_ADDRESS="192.0.2.1")
    found = live_target(Project(folder, chosen), f"127.0.0.1:{node.port}", fingerprint=fingerprint)
    assert (found.user, found.port) == ("core", node.port)
    return pinned(folder / MEDIA / "known_hosts", "127.0.0.1", node.port)


def test_a_medium_made_by_fab_iso_is_known_by_its_key(node: Node, tmp_path: Path) -> None:
    (tmp_path / MEDIA).mkdir(parents=True)
    (tmp_path / MEDIA / "host_keys.pub").write_text(f"{new_ssh_key().public}\n{node.host_line}\n")

    assert look(node, tmp_path) == (node.host_line,)


def test_a_fingerprint_makes_any_medium_known(node: Node, tmp_path: Path) -> None:
    fingerprint = str(node.host_key.fingerprint)

    assert look(node, tmp_path, fingerprint) == (node.host_line,)
    assert look(node, tmp_path) == (node.host_line,)


def test_another_fingerprint_is_refused(node: Node, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="not SHA256:other"):
        look(node, tmp_path, "SHA256:other")

    assert not (tmp_path / MEDIA / "known_hosts").exists()


def test_an_unknown_medium_needs_a_terminal_or_a_fingerprint(node: Node, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="this is not a terminal") as refused:
        look(node, tmp_path)

    assert "--fingerprint" in refused.value.hint


def test_media_made_before_stay_known(tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text("ssh-ed25519 AAAAC3Nz me@here\n")
    chosen = settings(SSH_KEYS="id.pub")

    for _ in range(2):
        config, key = live_config(Project(tmp_path, chosen))
        assert key.public not in (tmp_path / "id.pub").read_text()
        assert b"ssh_host_ed25519_key" in config
        remember_medium(Project(tmp_path, settings()), key)

    assert len(set((tmp_path / MEDIA / "host_keys.pub").read_text().splitlines())) == 2


@pytest.mark.parametrize("host", ["", "core@", "web1:ssh", "web1:65536"])
def test_what_is_no_host_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="is not a node"):
        live_target(Project(tmp_path, settings()), host, fingerprint="")
