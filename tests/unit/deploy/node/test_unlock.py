"""`fab unlock` ends the holder of an app's lock and writes the reason to the journal."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.unlock import unlock
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

PROJECT = Project(Path(), settings())
HOLDER = '{"who": "ann@desk", "what": "deploy", "since": "2030-01-02T03:04:05+00:00", "pid": 7}'


def test_the_holder_is_printed_and_the_reason_sent_for_the_journal(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["unlock"] = HOLDER

    unlock(PROJECT, reason=" on holiday ")

    app, line = remote.the("unlock").arguments
    assert app == "shop-www"
    assert {"what": "unlock", "detail": "on holiday"}.items() <= json.loads(line).items()
    printed = capsys.readouterr().out
    assert "lock of shop-www broken; holder was ann@desk (deploy, since 2030-01-02" in printed
    assert "`fab deploy`" in printed


def test_a_free_lock_is_reported(remote: FakeRemote, capsys: pytest.CaptureFixture[str]) -> None:
    remote.answers["unlock"] = "null\n"

    unlock(PROJECT, reason="to be sure")

    assert capsys.readouterr().out == "✓ shop-www is not locked\n"


@pytest.mark.parametrize("reason", ["", "  "])
def test_without_a_reason_nothing_is_unlocked(remote: FakeRemote, reason: str) -> None:
    with pytest.raises(DeployError, match="needs a reason"):
        unlock(PROJECT, reason=reason)

    assert not remote.commands


def test_a_holder_that_does_not_end_is_reported(remote: FakeRemote) -> None:
    remote.answers["unlock"] = refusal("the holder of the lock of shop-www does not end: …")

    with pytest.raises(DeployError, match=r"unlocking shop-www failed on .* does not end"):
        unlock(PROJECT, reason="it hangs")
