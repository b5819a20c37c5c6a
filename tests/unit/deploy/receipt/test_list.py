"""The receipts that are kept here are listed with who signed each; the node is not asked."""

import json

import pytest

from deploy.receipt.list import receipts
from tests.unit.deploy.receipt.team import Team

pytestmark = pytest.mark.program
FIRST, SECOND = "20300601-120000-ab12", "20300602-120000-ab12"


def test_the_newest_is_first_with_who_signed_it(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.deploy("ann", FIRST)
    team.deploy("ben", SECOND)
    team.remote.commands.clear()
    capsys.readouterr()

    receipts(team.project(), as_json=False)

    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:5] for row in rows] == [
        ["2", SECOND, "deploy", "ben", "ben@desk"],
        ["1", FIRST, "deploy", "ann", "ann@desk"],
    ]
    assert team.remote.commands == []


def test_one_that_was_changed_says_so_in_its_place(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    team.deploy("ann", FIRST)
    team.file(FIRST).write_text("{}")
    capsys.readouterr()

    receipts(team.project(), as_json=False)
    assert f"{FIRST}  it cannot be read" in capsys.readouterr().out

    receipts(team.project(), as_json=True)
    (found,) = json.loads(capsys.readouterr().out)["receipts"]
    assert (found["release"], found["receipt"]) == (FIRST, {})


def test_without_receipts_the_setting_is_named(
    team: Team, capsys: pytest.CaptureFixture[str]
) -> None:
    (team.folder / "certs/allowed_signers").unlink()

    receipts(team.project(), as_json=False)

    assert "a deploy with RECEIPT_KEY writes one" in capsys.readouterr().out
