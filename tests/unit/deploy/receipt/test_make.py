"""A receipt follows the last one that counts, and is signed before anything is changed."""

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest

from deploy.errors import DeployError
from deploy.receipt.make import Origin, make_receipt
from deploy.receipt.plan.receipt import Receipt, Signed, read_receipt
from tests.unit.deploy.examples import manifest
from tests.unit.deploy.receipt.team import Team
from tests.unit.deploy.ssh_server import new_identity

pytestmark = pytest.mark.program
FIRST, SECOND, THIRD = (f"2030060{day}-120000-ab12" for day in (1, 2, 3))


def read(one: Signed) -> Receipt:
    return read_receipt(one.content, "shop-www")


@pytest.fixture
def agent(
    team: Team, program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An SSH agent without keys."""
    socket = str(team.folder / "agent")
    started = [program("ssh-agent"), "-D", "-a", socket]
    with subprocess.Popen(started, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        # It prints its variables once it listens.
        process.stdout.readline()
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        yield socket
        process.terminate()


def test_each_receipt_names_the_one_before_and_what_served(team: Team) -> None:
    first, second = team.deploy("ann", FIRST), team.deploy("ben", SECOND)

    assert (read(first).number, read(first).previous, read(first).replaces) == (1, "", "")
    assert (read(second).number, read(second).previous) == (2, first.sha256)
    assert read(second).replaces == FIRST


def test_without_a_key_there_is_no_receipt_and_the_node_is_not_asked(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    made = manifest(release=FIRST)
    assert make_receipt(team.remote, team.project(), made, Origin("deploy", "")) is None
    assert team.remote.commands == []
    assert capsys.readouterr().err == ""

    team.deploy("ann", FIRST)
    assert make_receipt(team.remote, team.project(), made, Origin("deploy", "")) is None
    assert "this release gets none: RECEIPT_KEY is not set" in capsys.readouterr().err


def test_a_colleagues_receipt_is_followed_that_only_the_node_has(team: Team) -> None:
    team.deploy("ann", FIRST)
    second = team.deploy("ben", SECOND)
    team.file(SECOND).unlink()

    third = read(team.make("ann", THIRD))

    assert (third.number, third.previous) == (3, second.sha256)


def test_the_chain_goes_on_after_a_node_has_lost_its_receipts(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    first = team.deploy("ann", FIRST)
    second = team.deploy("ben", SECOND)
    del team.stored[SECOND]

    assert read(team.make("ann", THIRD)).previous == second.sha256
    assert "the node's last receipt is not the last one here" in capsys.readouterr().err

    team.stored = {FIRST: (first.content, first.signature[:-40])}
    assert read(team.make("ann", THIRD)).previous == second.sha256
    said = capsys.readouterr().err
    assert f"the last receipt on the node, of release {FIRST}, does not count" in said


def test_a_receipt_that_a_node_makes_up_is_not_followed(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    first = team.deploy("ann", FIRST)
    forged = first.content.replace(b'"number":1', b'"number":999999')
    team.stored = {SECOND: (forged, first.signature)}

    assert read(team.make("ben", THIRD)).number == 2
    assert "it was changed" in capsys.readouterr().err


def test_a_release_that_the_node_has_changed_is_not_signed_again(team: Team) -> None:
    team.deploy("ann", FIRST)
    evil = manifest(release=SECOND, image_id="sha256:" + "e" * 64)

    with pytest.raises(DeployError, match="is not what its receipt states: image_id"):
        make_receipt(team.remote, team.project("ben"), evil, Origin("rollback", FIRST, FIRST))


def test_a_receipt_here_that_cannot_be_read_keeps_no_one_from_going_back(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.deploy("ann", FIRST)
    team.file(FIRST).write_bytes(b"{")
    copy = manifest(release=SECOND)

    made = make_receipt(team.remote, team.project("ben"), copy, Origin("rollback", FIRST, FIRST))

    assert made
    assert read(made).number == 2
    assert "does not count: it cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["none", "locked", "ann.pub"])
def test_a_key_that_cannot_be_used_is_an_error_that_says_so(team: Team, key: str) -> None:
    new_identity(team.folder / "locked", "a passphrase")
    (team.folder / "ann").unlink()

    with pytest.raises(
        DeployError, match=rf"signing the receipt with .*{key} failed: \S"
    ) as caught:
        team.make(key, FIRST)

    assert caught.value.message.endswith("Nothing was changed on the node")
    assert "ssh-add" in caught.value.hint
    assert team.remote.scripts == ["receipts"]


def test_a_security_key_has_to_be_touched_and_fab_says_so(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    (team.folder / "token.pub").write_text("sk-ssh-ed25519@openssh.com AAAA x\n")

    with pytest.raises(DeployError, match="signing the receipt with"):
        team.make("token", FIRST)

    assert "touch the security key" in capsys.readouterr().out


def test_a_key_of_the_agent_signs_until_the_agent_is_locked(
    team: Team, agent: str, program: Callable[[str], str]
) -> None:
    add = program("ssh-add")
    subprocess.run([add, "-q", team.folder / "ann"], check=True)
    (team.folder / "ann").unlink()

    assert read(team.make("ann.pub", FIRST)).number == 1

    ask = team.folder / "ask"
    ask.write_text("#!/bin/sh\necho pass\n")
    ask.chmod(0o755)
    asked = os.environ | {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    subprocess.run([add, "-x"], env=asked, check=True, capture_output=True)
    with pytest.raises(DeployError, match=r"signing the receipt with .*ann\.pub failed"):
        team.make("ann.pub", FIRST)
