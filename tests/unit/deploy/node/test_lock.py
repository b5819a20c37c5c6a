"""The lock of an app is taken, waited for or broken, and what was done is written down."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.journal import audit_failures, audit_line
from deploy.node.lock import LockHeldError, acquire_lock, break_lock
from deploy.node.remote import Remote, Result
from deploy.project import Project
from tests.unit.deploy.examples import settings

pytestmark = pytest.mark.program
HELD = Result(75, "", '{"who": "ann@desk", "what": "deploy", "since": "2030-01-02T03:04:05+00:00"}')
LINE = audit_line(Project(Path(), settings()), "prune")


@dataclass
class FakeNode(Remote):
    """A node that gives answers in turn, and remembers what it was told."""

    answers: list[Result]
    commands: list[Command] = field(default_factory=list)

    def round_trip(self) -> float:
        return 0.0

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        return self.answers.pop(0)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        return self.run(command)

    def hold(self, command: Command) -> Result:
        return self.run(command)


def interrupts() -> None:
    raise KeyboardInterrupt


def fails() -> None:
    raise DeployError("prune failed on the node: no room\nlast lines of the app")


@pytest.mark.parametrize(("said", "waited"), [("held\n", False), ("waited\n", True)])
def test_a_lock_tells_whether_it_was_waited_for(tmp_path: Path, said: str, *, waited: bool) -> None:
    node = FakeNode([Result(0, said, "")])

    assert acquire_lock(node, Project(tmp_path, settings()), "prune") is waited
    assert node.commands[0].arguments[2] == "5"
    assert json.loads(node.commands[0].arguments[1])["what"] == "prune"


def test_who_waits_is_told_for_whom_and_asks_again_for_the_rest_of_the_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    node = FakeNode([HELD, Result(0, "held\n", "")])

    assert acquire_lock(node, Project(tmp_path, settings()), "prune", wait_seconds=60) is True
    assert [one.arguments[2] for one in node.commands] == ["5", "55"]
    assert "ann@desk (deploy, since 2030-01-02T03:04:05+00:00): waiting" in capsys.readouterr().out


def test_who_does_not_wait_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LockHeldError, match="being changed by ann@desk"):
        acquire_lock(FakeNode([HELD]), Project(tmp_path, settings()), "prune")


def test_who_waited_in_vain_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LockHeldError, match="being changed by ann@desk"):
        acquire_lock(FakeNode([HELD, HELD]), Project(tmp_path, settings()), "prune", wait_seconds=6)


def test_breaking_a_lock_names_whom_it_threw_out() -> None:
    node = FakeNode([Result(0, HELD.stderr, "")])

    assert str(break_lock(node, "shop-www", "{}")).startswith("ann@desk (deploy, since 2030")
    assert node.commands == [Command("unlock", ("shop-www", "{}"))]


def test_a_lock_that_nobody_holds_is_not_broken() -> None:
    assert break_lock(FakeNode([Result(0, "null\n", "")]), "shop-www", "{}") is None


@pytest.mark.parametrize("answer", [Result(1, "", "does not end"), Result(0, "nonsense", "")])
def test_a_holder_that_cannot_be_thrown_out_is_told(answer: Result) -> None:
    with pytest.raises(DeployError, match=r"does not end|holder of the lock cannot be read"):
        break_lock(FakeNode([answer]), "shop-www", "{}")


@pytest.mark.parametrize(
    ("breaks", "kind", "detail"),
    [
        (fails, DeployError, "prune failed on the node: no room"),
        (interrupts, KeyboardInterrupt, "KeyboardInterrupt"),
    ],
)
def test_a_failure_is_written_down_in_one_line_and_raised_again(
    breaks: Callable[[], None], kind: type[BaseException], detail: str
) -> None:
    node = FakeNode([Result(0, "", "")])

    with pytest.raises(kind), audit_failures(node, LINE):
        breaks()
    (told,) = node.commands
    assert json.loads(told.arguments[0])["result"] == "failed"
    assert json.loads(told.arguments[0])["detail"] == detail


def test_a_failure_that_cannot_be_written_down_hides_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = FakeNode([Result(1, "", "no space left")])

    with pytest.raises(DeployError, match="no room"), audit_failures(node, LINE):
        fails()
    assert "no space left" in capsys.readouterr().err


def test_what_goes_well_is_for_the_block_to_write_down() -> None:
    node = FakeNode([])

    with audit_failures(node, LINE):
        pass
    assert node.commands == []
