"""Prune removes what no release needs, under the lock of the app, and records it."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.prune import prune
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, reach, refusal

PROJECT = Project(Path(), settings())


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> FakeRemote:
    return reach(monkeypatch, FakeRemote())


def test_each_removal_is_printed_and_recorded(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["prune"] = "image localhost/shop-www:r1\nimage localhost/shop-www:r2\n"

    prune(PROJECT)

    assert remote.scripts.index("lock") < remote.scripts.index("prune")
    assert "localhost/shop-www:r2" in remote.the("audit").arguments[0]
    out = capsys.readouterr().out
    assert "image localhost/shop-www:r1" in out
    assert "2 removed" in out


def test_nothing_to_remove_is_not_recorded(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    prune(PROJECT)

    assert "audit" not in remote.scripts
    assert "nothing to remove" in capsys.readouterr().out


def test_a_refusal_of_the_node_is_quoted(remote: FakeRemote) -> None:
    remote.answers["prune"] = refusal("a deploy of shop-www is unfinished")

    with pytest.raises(DeployError, match="a deploy of shop-www is unfinished"):
        prune(PROJECT)
