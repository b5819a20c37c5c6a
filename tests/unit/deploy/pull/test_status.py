"""What came of a node's look at its tag is shown."""

import json
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.project import Project
from deploy.pull.status import bundle_status, pull
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

PROJECT = Project(Path(), settings())
LOOK = {
    "schema_version": 1,
    "at": "2030-06-15T12:00:00+00:00",
    "result": "same",
    "why": "",
    "reference": "registry.example.org/shop/www:live",
    "digest": "sha256:" + "a" * 64,
    "image_id": "sha256:" + "b" * 64,
    "release": "20300615-120000-ab12",
}


@pytest.mark.parametrize(
    ("result", "code"),
    [
        *(("same", 0), ("healed", 0), ("updated", 0), ("waiting", 0), ("held-back", 1)),
        *(("refused", 1), ("no-room", 1), ("unreachable", 1), ("node-fault", 1), ("failed", 1)),
    ],
)
def test_a_result_is_shown_with_why_and_an_exit_code(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str], result: str, code: int
) -> None:
    remote.answers["pull-status"] = json.dumps(LOOK | {"result": result, "why": "so\x1b[2J"})

    assert pull(PROJECT, now=False, as_json=False) == code

    said = capsys.readouterr().out
    assert f"shop-www: {result}: so\\x1b[2J (2030-06-15 12:00:00 UTC)" in said
    assert "20300615-120000-ab12 serves" in said
    assert remote.the("pull-status").arguments == ("shop-www",)


def test_a_look_at_once_is_asked_for(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["pull-status"] = json.dumps(LOOK | {"digest": "", "image_id": ""})

    assert pull(PROJECT, now=True, as_json=True) == 0

    assert remote.the("pull-status").arguments == ("shop-www", "now")
    assert json.loads(capsys.readouterr().out)["reference"] == LOOK["reference"]


@pytest.mark.parametrize("change", [{"result": "great"}, {"digest": "x"}, {"schema_version": 2}])
def test_what_cannot_be_read_is_refused(remote: FakeRemote, change: dict[str, object]) -> None:
    remote.answers["pull-status"] = json.dumps(LOOK | change)

    with pytest.raises(DeployError):
        pull(PROJECT, now=False, as_json=False)


def test_an_app_that_follows_no_tag_is_named(remote: FakeRemote) -> None:
    remote.answers["pull-status"] = refusal("shop-www follows no tag on this node")

    with pytest.raises(DeployError, match="follows no tag"):
        pull(PROJECT, now=False, as_json=False)


BUNDLE = {
    **{name: value for name, value in LOOK.items() if name not in {"image_id", "release"}},
    "serial": 1907755200000,
    "spec": "ab12" * 16,
}


@pytest.mark.parametrize(("result", "code"), [("same", 0), ("waiting", 0), ("refused", 1)])
def test_the_last_look_at_the_nodes_own_bundle_is_shown(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str], result: str, code: int
) -> None:
    remote.answers["pull-status"] = json.dumps(BUNDLE | {"result": result, "why": "so\x1b[2J"})
    project = Project(
        Path(), settings(PULL="registry.example.org/shop/www:live", PULL_NODE="shop1")
    )

    assert bundle_status(project, as_json=False) == code

    said = capsys.readouterr().out
    assert f"shop1: {result}: so\\x1b[2J (2030-06-15 12:00:00 UTC)" in said
    assert "serial 1907755200000, spec ab12ab12ab12" in said
    assert remote.the("pull-status").arguments == ("node",)
