"""The operator's key is replaced: the old one goes only after the new one logged in everywhere."""

import json
from pathlib import Path

import pytest

from deploy.access.identity import Identity, public_key
from deploy.access.rotate_key import cert_rotate_ssh
from deploy.errors import DeployError
from deploy.spec.people import keys_by_person, retired_keys, write_keys
from tests.unit.deploy.access.fleet import HOSTS, Fleet
from tests.unit.deploy.fake_remote import refusal
from tests.unit.deploy.ssh_server import new_identity


def test_every_node_gets_the_new_key_is_tried_with_it_and_loses_the_old(fleet: Fleet) -> None:
    old = public_key(fleet.identity)
    write_keys(fleet.project, "ann", (old,))

    cert_rotate_ssh(fleet.nodes, fleet.identity)

    new = public_key(fleet.identity)
    assert new.blob != old.blob
    for host in HOSTS:
        add, revoke, drop = fleet.changes(host)
        assert (add.script, revoke.script, drop.script) == (
            *("access-add", "access-revoke", "access-drop"),
        )
        assert new.key.encode() in add.stdin
        assert old.digest in revoke.stdin
        assert drop.arguments == ("core",)
        lines = json.loads(drop.stdin)
        assert lines["drop"] == [old.line]
        assert [line.strip() for line in lines["keep"]] == [new.line]
    next_key = fleet.identity.with_name("id.new")
    assert [login[1] for login in fleet.logins] == [
        *(fleet.identity, fleet.identity, next_key, next_key, fleet.identity, fleet.identity)
    ]
    assert [key.blob for key in keys_by_person(fleet.project)["ann"]] == [new.blob]
    assert retired_keys(fleet.project) == {old.blob}
    assert not Identity(fleet.identity).old_public.exists()


def test_a_new_key_that_does_not_log_in_leaves_the_old_one_everywhere(fleet: Fleet) -> None:
    old = public_key(fleet.identity)
    fleet.remotes["two"].answers["access-list"] = refusal("no login")

    with pytest.raises(DeployError, match="no login"):
        cert_rotate_ssh(fleet.nodes, fleet.identity)

    assert public_key(fleet.identity).blob == old.blob
    for host in HOSTS:
        assert fleet.remotes[host].all_of("access-drop") == []


def test_an_interrupted_rotation_goes_on_with_the_same_key(fleet: Fleet) -> None:
    fleet.remotes["two"].answers["access-drop"] = refusal("the disk is full")
    with pytest.raises(DeployError, match="disk is full"):
        cert_rotate_ssh(fleet.nodes, fleet.identity)
    new = public_key(fleet.identity)

    del fleet.remotes["two"].answers["access-drop"]
    cert_rotate_ssh(fleet.nodes, fleet.identity)

    assert public_key(fleet.identity).blob == new.blob
    assert len(fleet.remotes["two"].all_of("access-add")) == 1
    assert len(fleet.remotes["two"].all_of("access-drop")) == 2


def test_an_interrupted_rotation_takes_no_other_key(fleet: Fleet, tmp_path: Path) -> None:
    fleet.remotes["two"].answers["access-drop"] = refusal("the disk is full")
    with pytest.raises(DeployError):
        cert_rotate_ssh(fleet.nodes, fleet.identity)

    with pytest.raises(DeployError, match="an earlier rotation was interrupted"):
        cert_rotate_ssh(fleet.nodes, fleet.identity, given=new_identity(tmp_path / "other"))


def test_a_key_of_the_operators_own_is_used(fleet: Fleet, tmp_path: Path) -> None:
    given = new_identity(tmp_path / "given")

    cert_rotate_ssh(fleet.nodes, fleet.identity, given=given, days=3)

    assert public_key(fleet.identity).blob == public_key(given).blob
    assert fleet.remotes["one"].the("access-add").stdin.startswith(b'expiry-time="')


def test_the_key_in_use_is_refused(fleet: Fleet) -> None:
    with pytest.raises(DeployError, match="is the key that is in use"):
        cert_rotate_ssh(fleet.nodes, fleet.identity, given=fleet.identity)

    assert fleet.logins == []


def test_without_an_identity_file_the_other_commands_are_named(fleet: Fleet) -> None:
    with pytest.raises(DeployError, match="IDENTITY_FILE is not set") as caught:
        cert_rotate_ssh(fleet.nodes, None)

    assert "access-add" in caught.value.hint
