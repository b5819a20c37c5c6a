"""The log of a release is read from its node."""

from pathlib import Path

import pytest

from deploy.app.logs import logs
from deploy.errors import DeployError
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.fake_remote import FakeRemote, refusal

PROJECT = Project(Path(), settings())


@pytest.mark.parametrize("release", ["", "r1"])
def test_the_last_lines_of_a_release_are_printed(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str], release: str
) -> None:
    remote.answers["logs"] = "one\ntwo\n"

    logs(PROJECT, 50, release=release)

    assert remote.the("logs").arguments == ("shop-www", "50", release)
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_line_end_with_a_carriage_return_is_a_line_end(
    remote: FakeRemote, capsys: pytest.CaptureFixture[str]
) -> None:
    remote.answers["logs"] = "one\r\n10%\r20%\r\n"

    logs(PROJECT, 50)

    assert capsys.readouterr().out == "one\n10%\\r20%\n"


def test_a_node_that_refuses_is_quoted(remote: FakeRemote) -> None:
    remote.answers["logs"] = refusal("release r1 was never started")

    with pytest.raises(DeployError, match=r"the log of shop-www failed .*: release r1 was never"):
        logs(PROJECT, 50, release="r1")
