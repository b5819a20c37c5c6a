"""The list names the owner of every authorized key of every node."""

import json

import pytest

from deploy.access.identity import public_key
from deploy.access.list import access_list
from deploy.spec.access_key import AccessKey
from deploy.spec.people import retire, write_keys
from tests.unit.deploy.access.fleet import Fleet

ANN = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIAnnxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "ann@desk",
)
OLD = AccessKey(
    "ssh-ed25519", "AAAAC3NzaC1lZDI1NTE5AAAAIOldxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "ann@old"
)
EVE = AccessKey(
    "ssh-ed25519",
    "AAAAC3NzaC1lZDI1NTE5AAAAIEvexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "eve@café",
)


@pytest.fixture
def listed(fleet: Fleet) -> Fleet:
    write_keys(fleet.project, "ann", (ANN,))
    retire(fleet.project, (OLD,))
    lines = (ANN.line, OLD.line, EVE.line, public_key(fleet.identity).line, "# a comment")
    fleet.remotes["one"].answers["access-list"] = json.dumps(
        [{"user": "core", "file": "/f", "age_seconds": 90000, "line": line} for line in lines]
    )
    fleet.remotes["two"].answers["access-list"] = "[]"
    return fleet


def test_owners_are_people_the_settings_the_retired_list_or_unknown(
    listed: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    access_list(listed.nodes, as_json=True)

    keys = json.loads(capsys.readouterr().out)["keys"]
    assert [one["person"] for one in keys] == ["ann", "retired", "?", "SSH_KEYS"]
    assert {one["node"] for one in keys} == {"one"}
    assert {one["user"] for one in keys} == {"core"}
    assert listed.remotes["one"].the("access-list").arguments == ()
    assert keys[0]["age_days"] == 1


def test_a_line_that_is_not_understood_is_shown_as_a_way_in(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    write_keys(fleet.project, "ann", (ANN,))
    hidden = f"{EVE.blob} x {ANN.line}"
    tab, options = EVE.blob.replace(" ", "\t"), f'from="a b" {ANN.line}'
    authority = f"cert-authority {ANN.line}"
    fleet.authorize(hidden, tab, options, authority, 'command="x', "   ", f" # {EVE.line}")

    access_list(fleet.nodes[:1], as_json=True)
    listed = json.loads(capsys.readouterr().out)["keys"]
    access_list(fleet.nodes[:1], as_json=False)
    said = capsys.readouterr()

    assert [(one["person"], one["fingerprint"]) for one in listed] == [
        ("?", EVE.fingerprint),
        ("?", EVE.fingerprint),
        ("ann", ANN.fingerprint),
        ("?", ANN.fingerprint),
        ("?", None),
    ]
    assert listed[2]["options"] == 'from="a b"'
    assert listed[4]["line"] == 'command="x'
    assert 'one: a line of /f is not understood and may let someone log in: command="x' in said.err
    assert "cert-authority" in said.out


def test_the_table_shows_the_same(listed: Fleet, capsys: pytest.CaptureFixture[str]) -> None:
    access_list(listed.nodes, as_json=False)

    shown = capsys.readouterr().out
    assert "ann" in shown
    assert "retired" in shown
