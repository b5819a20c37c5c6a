"""A change of who may log in is in the node's journal of changes, made or failed."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.access.change import change
from deploy.errors import DeployError
from deploy.node import command
from deploy.node.command import Command
from deploy.node.remote import Remote, Result

pytestmark = pytest.mark.program
WANTED = command.access_drop("core", "", ("AAAA",))


@dataclass
class FakeRemote(Remote):
    """A node that answers one script with a result, and everything else with success."""

    answer: Result
    commands: list[Command] = field(default_factory=list)

    def round_trip(self) -> float:
        return 0.0

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        return self.answer if command.script == WANTED.script else Result(0, "", "")

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        return self.run(command)

    def hold(self, command: Command) -> Result:
        return self.run(command)

    @property
    def line(self) -> dict[str, str]:
        (audit,) = (made for made in self.commands if made.script == "audit")
        return dict(json.loads(audit.arguments[0]))


def test_a_change_is_written_down_once_it_is_made(tmp_path: Path) -> None:
    remote = FakeRemote(Result(0, "1\n", ""))

    said = change(remote, tmp_path, WANTED, "access-remove", "ann is let in no more")

    assert said == "1\n"
    assert [made.script for made in remote.commands] == ["access-drop", "audit"]
    assert remote.line["app"] == "node"
    assert (remote.line["what"], remote.line["result"]) == ("access-remove", "ok")
    assert remote.line["detail"] == "ann is let in no more"


def test_a_change_that_the_node_refuses_is_written_down_as_a_failure(tmp_path: Path) -> None:
    remote = FakeRemote(Result(1, "", "no other key would be let in\n"))

    with pytest.raises(DeployError, match="no other key"):
        change(remote, tmp_path, WANTED, "access-remove", "ann is let in no more")

    assert remote.line["result"] == "failed"
    assert "no other key" in remote.line["detail"]
