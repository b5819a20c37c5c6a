"""Every change of keys is recorded in the node's journal, a failed one too."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.access.act import access_drop, run_audited
from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote, Result
from deploy.project import Project
from tests.unit.deploy.examples import settings

pytestmark = pytest.mark.program
COMMAND = access_drop("core", "", ("AAAA",))


@dataclass
class FakeRemote(Remote):
    """A node that answers one script with a result, and everything else with success."""

    answer: Result
    commands: list[Command] = field(default_factory=list)

    def round_trip(self) -> float:
        return 0.0

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        return self.answer if command.script == COMMAND.script else Result(0, "", "")

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        return self.run(command)

    def hold(self, command: Command) -> Result:
        return self.run(command)

    @property
    def line(self) -> dict[str, str]:
        (audit,) = (made for made in self.commands if made.script == "audit")
        return dict(json.loads(audit.arguments[0]))


def test_a_change_is_recorded_once_it_is_made(tmp_path: Path) -> None:
    remote = FakeRemote(Result(0, "1\n", ""))

    run_audited(remote, Project(tmp_path, settings()), COMMAND, "access-remove", "ann removed")

    assert [made.script for made in remote.commands] == ["access-drop", "audit"]
    assert remote.line["app"] == "node"
    assert (remote.line["what"], remote.line["result"]) == ("access-remove", "ok")
    assert remote.line["detail"] == "ann removed"


def test_a_change_that_the_node_refuses_is_recorded_as_a_failure(tmp_path: Path) -> None:
    remote = FakeRemote(Result(1, "", "no other key would be let in\n"))

    with pytest.raises(DeployError, match="no other key"):
        run_audited(remote, Project(tmp_path, settings()), COMMAND, "access-remove", "ann removed")

    assert remote.line["result"] == "failed"
    assert "no other key" in remote.line["detail"]
