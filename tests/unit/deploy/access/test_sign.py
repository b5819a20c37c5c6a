"""A signed key logs in for some hours; every node trusts the authority from the first one on."""

from pathlib import Path

import pytest

from certs.errors import CertError
from deploy.access.sign import access_sign
from deploy.app.tls import material
from deploy.errors import DeployError
from deploy.spec.people import keys_by_person
from tests.unit.deploy.access.fleet import HOSTS, Fleet
from tests.unit.deploy.fake_remote import refusal
from tests.unit.deploy.ssh_server import new_identity


@pytest.fixture
def file(tmp_path: Path) -> Path:
    new_identity(tmp_path / "eve")
    return tmp_path / "eve.pub"


def test_the_first_signature_adds_the_authority_to_every_node(fleet: Fleet, file: Path) -> None:
    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)

    for host in HOSTS:
        (command,) = fleet.changes(host)
        assert command.stdin.startswith(b"cert-authority ecdsa")
        assert "authority added: SHA256:" in fleet.journal(host)
    assert list(keys_by_person(fleet.project)) == ["authority"]
    assert b"ENCRYPTED" in material(fleet.project).ssh_authority_key.read_bytes()
    assert "-cert-v01@openssh.com" in file.with_name("eve-cert.pub").read_text()


def test_later_signatures_need_no_login(fleet: Fleet, file: Path) -> None:
    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)
    fleet.logins.clear()

    access_sign(fleet.nodes, fleet.project, "eve", file, hours=2)

    assert fleet.logins == []


def test_a_node_that_refuses_leaves_no_certificate(fleet: Fleet, file: Path) -> None:
    fleet.remotes["two"].answers["access-add"] = refusal("user core does not exist")

    with pytest.raises(DeployError, match="does not exist"):
        access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)

    assert keys_by_person(fleet.project) == {}
    assert not file.with_name("eve-cert.pub").exists()


def test_a_long_life_is_refused(fleet: Fleet, file: Path) -> None:
    with pytest.raises(CertError, match="not short-lived"):
        access_sign(fleet.nodes, fleet.project, "eve", file, hours=1000)
