"""A person's keys are added to every node or removed from every node, and the folder follows."""

import json
from pathlib import Path

import pytest

from deploy.access import keys
from deploy.access.identity import public_key
from deploy.access.keys import access_add, access_remove, file_name
from deploy.errors import DeployError
from deploy.spec.access_key import AccessKey
from deploy.spec.people import keys_by_person, retire, retired_keys, write_keys
from tests.unit.deploy.access.fleet import HOSTS, Fleet
from tests.unit.deploy.fake_remote import refusal

ANN = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIAnnxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ann@desk",
)
OLD = AccessKey(
    "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIOldxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "ann@old"
)
GONE = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIGonxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "gone@desk",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ann.pub"
    path.write_text(f"{ANN.line}\n")
    return path


def test_a_person_is_added_to_every_node_then_to_the_folder(fleet: Fleet, file: Path) -> None:
    write_keys(fleet.project, "ann", (OLD,))
    retire(fleet.project, (ANN, GONE))

    access_add(fleet.nodes, "ann", file, days=0)

    for host in HOSTS:
        accept, command = fleet.changes(host)
        assert accept.script == "access-revoke"
        assert ANN.digest not in accept.stdin
        assert GONE.digest in accept.stdin
        assert command.script == "access-add"
        assert command.arguments == ("core", file_name("ann", ANN))
        assert command.stdin == f"{ANN.line}\n".encode()
        assert f"ann added: {ANN.fingerprint}" in fleet.journal(host)
    assert keys_by_person(fleet.project) == {"ann": (OLD, ANN)}
    assert retired_keys(fleet.project) == {GONE.blob}


def test_days_become_an_expiry_of_the_line(fleet: Fleet, file: Path) -> None:
    access_add(fleet.nodes, "ann", file, days=3)

    command = fleet.remotes["one"].the("access-add")
    assert command.stdin.startswith(b'expiry-time="')
    ((key,),) = keys_by_person(fleet.project).values()
    assert key.expires


def test_a_file_without_a_key_is_refused_before_any_login(fleet: Fleet, file: Path) -> None:
    file.write_text("# none yet\n")

    with pytest.raises(DeployError, match="holds no key"):
        access_add(fleet.nodes, "ann", file, days=0)

    assert fleet.logins == []


@pytest.mark.parametrize("key", [ANN.key[:-1], ANN.key[:-4], f"{ANN.key}AAAA"])
def test_a_damaged_key_is_refused_before_any_login(fleet: Fleet, file: Path, key: str) -> None:
    file.write_text(f"ssh-ed25519 {key} ann\n")

    with pytest.raises(DeployError, match="not a whole ssh-ed25519 key"):
        access_add(fleet.nodes, "ann", file, days=0)

    assert fleet.logins == []


def test_a_node_that_refuses_ends_the_command_before_the_folder_changes(
    fleet: Fleet, file: Path
) -> None:
    fleet.remotes["two"].answers["access-add"] = refusal("user core does not exist on this node")

    with pytest.raises(DeployError, match="does not exist"):
        access_add(fleet.nodes, "ann", file, days=0)

    assert keys_by_person(fleet.project) == {}
    assert '"result":"failed"' in fleet.journal("two").replace(" ", "")


def test_a_person_is_removed_from_every_node_and_the_operators_key_is_to_stay(
    fleet: Fleet,
) -> None:
    write_keys(fleet.project, "ann", (ANN, OLD))
    mine = public_key(fleet.identity)
    spread = ANN.blob.replace(" ", "\t \t")
    theirs = (f'command="a b" {ANN.line}', OLD.line, spread)
    fleet.authorize(mine.line, *theirs, f"# {ANN.line}", GONE.line)

    access_remove(fleet.nodes, "ann", identity=fleet.identity)

    for host in HOSTS:
        revoke, command = fleet.changes(host)
        assert revoke.script == "access-revoke"
        assert ANN.digest in revoke.stdin
        assert OLD.digest in revoke.stdin
        assert command.arguments == ("core",)
        assert json.loads(command.stdin) == {"drop": list(theirs), "keep": [mine.line]}
        assert "ann removed: " in fleet.journal(host)
    assert keys_by_person(fleet.project) == {}
    assert retired_keys(fleet.project) == {ANN.blob, OLD.blob}


def test_an_interrupted_removal_still_knows_the_keys(fleet: Fleet) -> None:
    write_keys(fleet.project, "ann", (ANN,))
    fleet.remotes["two"].answers["access-drop"] = refusal("no other key would be left")

    with pytest.raises(DeployError, match="no other key would be left"):
        access_remove(fleet.nodes, "ann", identity=fleet.identity)

    assert keys_by_person(fleet.project) == {"ann": (ANN,)}
    assert retired_keys(fleet.project) == {ANN.blob}


@pytest.mark.parametrize(
    "line",
    [
        f"# {OLD.line}",
        f'expiry-time="20200101Z" {OLD.line}',
        f'expiry-time="soon" {OLD.line}',
        f'from="192.0.2.1" {OLD.line}',
        f'command="uptime" {OLD.line}',
        f"CERT-AUTHORITY {OLD.line}",
        f"restrict {OLD.line}",
        "ssh-ed25519 AAAA",
        f"{OLD.kind} {OLD.key[:-4]} cut short",
        f"{OLD.kind} {OLD.key}AAAA too long",
        "ssh-dss AAAAB3NzaC1kc3MAAAABMQAAAAExAAAAATEAAAABMQ== no longer taken",
        "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t",
    ],
)
def test_what_lets_no_one_in_or_not_fully_is_not_another_key(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(keys, "agent_keys", lambda: ())
    write_keys(fleet.project, "ann", (ANN,))
    fleet.authorize(ANN.line, line)

    with pytest.raises(DeployError, match="no other key would be left") as caught:
        access_remove(fleet.nodes, "ann", identity=None)

    assert "expired" in caught.value.hint
    assert fleet.changes("one") == []


def test_a_key_that_expires_later_is_another_key(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "agent_keys", lambda: ())
    write_keys(fleet.project, "ann", (ANN,))
    other = f'expiry-time="20990101Z" {OLD.line}'
    fleet.authorize(ANN.line, other)

    access_remove(fleet.nodes, "ann", identity=None)

    assert json.loads(fleet.changes("one")[1].stdin)["keep"] == [other]


def test_the_operators_key_has_to_be_among_those_that_stay(fleet: Fleet) -> None:
    write_keys(fleet.project, "ann", (ANN,))
    fleet.authorize(ANN.line, OLD.line, f"# {public_key(fleet.identity).line}")

    with pytest.raises(DeployError, match="the key to keep is not authorized"):
        access_remove(fleet.nodes, "ann", identity=fleet.identity)


def test_an_unknown_person_is_refused_with_the_known_ones(fleet: Fleet) -> None:
    write_keys(fleet.project, "ann", (ANN,))

    with pytest.raises(DeployError, match="no keys of 'eve'") as caught:
        access_remove(fleet.nodes, "eve", identity=fleet.identity)

    assert "ann" in caught.value.hint


def test_the_operators_own_keys_are_not_removed(fleet: Fleet) -> None:
    write_keys(fleet.project, "me", (public_key(fleet.identity),))

    with pytest.raises(DeployError, match="the ones that you log in with"):
        access_remove(fleet.nodes, "me", identity=fleet.identity)

    assert fleet.logins == []
