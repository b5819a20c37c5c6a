"""A live system is known by its medium's key, by a fingerprint, or not at all."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from certs.ssh import new_ssh_key
from deploy.errors import DeployError
from deploy.machine.install import live_system
from deploy.machine.install.live_system import live_target, remember_medium
from deploy.machine.media.media import live_config
from deploy.node.known_hosts import pinned
from deploy.node.target import Target
from deploy.project import MEDIA, Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.ssh_server import Node

pytestmark = pytest.mark.loopback


def look(node: Node, folder: Path, fingerprint: str = "") -> tuple[str, ...]:
    chosen = settings(NODE_ADDRESS="192.0.2.1")
    found = live_target(Project(folder, chosen), f"127.0.0.1:{node.port}", fingerprint=fingerprint)
    assert (found.user, found.port) == ("core", node.port)
    return pinned(folder / MEDIA / "known_hosts", "127.0.0.1", node.port)


def project(folder: Path) -> Project:
    return Project(folder, settings())


def known(folder: Path) -> list[str]:
    return (folder / MEDIA / "host_keys.pub").read_text().splitlines()


def write(folder: Path, *lines: str) -> None:
    (folder / MEDIA).mkdir(parents=True)
    (folder / MEDIA / "host_keys.pub").write_text("".join(f"{line}\n" for line in lines))


def test_a_medium_made_by_fab_iso_is_known_by_its_key(node: Node, tmp_path: Path) -> None:
    remember_medium(project(tmp_path), new_ssh_key().public)
    remember_medium(project(tmp_path), f"{node.host_line} comment")

    assert look(node, tmp_path) == (node.host_line,)


def test_a_mediums_key_is_known_again_at_the_address_that_showed_it_first(
    node: Node, tmp_path: Path
) -> None:
    remember_medium(project(tmp_path), node.host_line)
    look(node, tmp_path)

    (line,) = known(tmp_path)
    assert line.split(" ", 1)[1] == f"[127.0.0.1]:{node.port} {node.host_line}"
    assert look(node, tmp_path) == (node.host_line,)


def test_a_mediums_key_is_known_to_one_of_two_installations_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, both = new_ssh_key().public, Barrier(2)

    def read(_: Target) -> tuple[str, str]:
        both.wait()
        return key, "SHA256:x"

    def is_known(host: str) -> bool:
        try:
            live_target(project(folder), host, fingerprint="")
        except DeployError:
            return False
        return True

    monkeypatch.setattr(live_system, "read_host_key", read)
    for number in range(20):
        folder = tmp_path / str(number)
        remember_medium(project(folder), key)
        with ThreadPoolExecutor(2) as beside:
            assert sum(beside.map(is_known, ("192.0.2.1", "192.0.2.2"))) == 1


@pytest.mark.parametrize(
    ("age", "address"), [(0, "[192.0.2.9]:22"), (25 * 3600, "-"), (25 * 3600, "own"), (-3600, "-")]
)
def test_a_mediums_key_is_not_known_elsewhere_or_after_a_day(
    node: Node, tmp_path: Path, age: int, address: str
) -> None:
    place = f"[127.0.0.1]:{node.port}" if address == "own" else address
    write(tmp_path, f"{time.time() - age:.0f} {place} {node.host_line}")

    with pytest.raises(DeployError, match="this is not a terminal"):
        look(node, tmp_path)


def test_a_key_that_an_older_version_remembered_for_ever_is_not_known(
    node: Node, tmp_path: Path
) -> None:
    write(tmp_path, node.host_line)

    with pytest.raises(DeployError, match="this is not a terminal"):
        look(node, tmp_path)


def test_a_fingerprint_makes_any_medium_known_at_that_address(node: Node, tmp_path: Path) -> None:
    fingerprint = str(node.host_key.fingerprint)
    write(tmp_path, f"{time.time():.0f} [192.0.2.9]:22 {node.host_line}")

    assert look(node, tmp_path, fingerprint) == (node.host_line,)
    assert look(node, tmp_path) == (node.host_line,)
    assert len(known(tmp_path)) == 1


def test_another_fingerprint_is_refused(node: Node, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="not SHA256:other"):
        look(node, tmp_path, "SHA256:other")

    assert not (tmp_path / MEDIA / "known_hosts").exists()


def test_an_unknown_medium_needs_a_terminal_or_a_fingerprint(node: Node, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="this is not a terminal") as refused:
        look(node, tmp_path)

    assert "--fingerprint" in refused.value.hint


def test_media_made_before_stay_known(tmp_path: Path) -> None:
    (tmp_path / "id.pub").write_text(
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEvexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx me@here\n"
    )
    chosen = settings(SSH_KEYS="id.pub")

    for _ in range(2):
        config, key = live_config(Project(tmp_path, chosen))
        assert key.public not in (tmp_path / "id.pub").read_text()
        assert b"ssh_host_ed25519_key" in config
        remember_medium(Project(tmp_path, settings()), key.public)

    assert len(set((tmp_path / MEDIA / "host_keys.pub").read_text().splitlines())) == 2


@pytest.mark.parametrize("host", ["", "core@", "web1:ssh", "web1:65536"])
def test_what_is_no_host_is_refused(host: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="is not a node"):
        live_target(Project(tmp_path, settings()), host, fingerprint="")
