"""A signed key logs in for some hours; every node trusts the authority from the first one on."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from certs.errors import CertError
from deploy.access.keys import access_remove
from deploy.access.list import access_list
from deploy.access.sign import access_sign
from deploy.app.tls import material
from deploy.errors import DeployError
from deploy.spec.key_file import read_key_file
from deploy.spec.people import (
    keys_by_person,
    retire,
    retired_keys,
    running_certificates,
    write_keys,
)
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


def test_a_retired_key_is_not_signed(fleet: Fleet, file: Path) -> None:
    retire(fleet.project, read_key_file(file))

    with pytest.raises(DeployError, match="retired key") as caught:
        access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)

    assert "access-add" in caught.value.hint
    assert not file.with_name("eve-cert.pub").exists()


def test_the_key_of_a_removed_authority_is_deleted_and_another_signs(
    fleet: Fleet, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)
    ((old,),) = keys_by_person(fleet.project).values()

    access_remove(fleet.nodes, "authority", identity=fleet.identity)

    assert not material(fleet.project).ssh_authority_key.exists()
    assert running_certificates(fleet.project, datetime.now(UTC)) == ()
    assert "every node refuses a certificate: eve, SHA256:" in capsys.readouterr().out
    for host in HOSTS:
        *_, revoke, drop = fleet.changes(host)
        assert old.digest in revoke.stdin
        assert old.key.encode() in drop.stdin

    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)
    assert keys_by_person(fleet.project)["authority"][0].blob != old.blob


def test_an_authority_that_was_retired_before_does_not_sign_again(fleet: Fleet, file: Path) -> None:
    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)
    ((old,),) = keys_by_person(fleet.project).values()
    retire(fleet.project, (old,))
    write_keys(fleet.project, "authority", ())

    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)

    assert keys_by_person(fleet.project)["authority"][0].blob != old.blob


def test_a_person_with_a_certificate_only_is_removed_and_the_certificate_named(
    fleet: Fleet, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    access_sign(fleet.nodes, fleet.project, "eve", file, hours=1)
    access_list(fleet.nodes, as_json=False)
    (eve,) = read_key_file(file)
    assert f"a certificate is valid as well: eve, {eve.fingerprint}, until 20" in (
        capsys.readouterr().out
    )

    access_remove(fleet.nodes, "eve", identity=fleet.identity)

    said = capsys.readouterr().out
    assert f"every node refuses a certificate: eve, {eve.fingerprint}, until 20" in said
    for host in HOSTS:
        assert eve.digest in fleet.remotes[host].the("access-revoke").stdin
    assert eve.blob in retired_keys(fleet.project)
    access_list(fleet.nodes, as_json=True)
    assert json.loads(capsys.readouterr().out)["certificates"] == []


def test_a_long_life_is_refused(fleet: Fleet, file: Path) -> None:
    with pytest.raises(CertError, match="not short-lived"):
        access_sign(fleet.nodes, fleet.project, "eve", file, hours=1000)
