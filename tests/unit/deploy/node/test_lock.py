"""An app's lock is acquired, waited for and broken; failures are written to the journal."""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node import lock
from deploy.node.command import Command
from deploy.node.journal import AuditLine, audit_failures
from deploy.node.lock import LockHeldError, acquire_lock, break_lock
from deploy.node.remote import Remote, Result
from deploy.project import Project
from deploy.workstation.git import Author
from tests.unit.deploy.examples import NOW, settings

HELD = Result(75, "", '{"who": "ann@desk", "what": "deploy", "since": "2030-01-02T03:04:05+00:00"}')
LINE = AuditLine(at=NOW, app="shop-www", what="prune", who="ann@desk")
PROJECT = Project(Path(), settings())


@dataclass
class FakeNode(Remote):
    """A node that gives answers in turn and records its commands."""

    answers: list[Result]
    commands: list[Command] = field(default_factory=list)

    def round_trip(self) -> float:
        return 0.0

    def relay(self, line: str, stdin: int, stdout: int, stderr: int) -> int:
        return 0

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        return self.answers.pop(0)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        return self.run(command)

    def hold(self, command: Command) -> Result:
        return self.run(command)


@pytest.fixture(autouse=True)
def _without_git(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "author", lambda folder: Author("me@here", "", dirty=False))


def interrupts() -> None:
    raise KeyboardInterrupt


def fails() -> None:
    raise DeployError("prune failed on the node: no room\nlast lines of the app")


@pytest.mark.parametrize(("said", "waited"), [("held\n", False), ("waited\n", True)])
def test_acquiring_a_lock_tells_whether_it_waited(said: str, *, waited: bool) -> None:
    node = FakeNode([Result(0, said, "")])

    assert acquire_lock(node, PROJECT, "prune") is waited
    assert node.commands[0].arguments[2] == "5"
    holder = json.loads(node.commands[0].arguments[1])
    assert (holder["who"], holder["what"]) == ("me@here", "prune")


def test_waiting_prints_the_holder_and_asks_again_for_the_rest_of_the_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = FakeNode([HELD, Result(0, "held\n", "")])

    assert acquire_lock(node, PROJECT, "prune", wait_seconds=60) is True
    assert [one.arguments[2] for one in node.commands] == ["5", "55"]
    assert "ann@desk (deploy, since 2030-01-02T03:04:05+00:00): waiting" in capsys.readouterr().out


def test_a_held_lock_is_refused_without_waiting() -> None:
    with pytest.raises(LockHeldError, match="being changed by ann@desk"):
        acquire_lock(FakeNode([HELD]), PROJECT, "prune")


def test_a_lock_that_is_still_held_after_waiting_is_refused() -> None:
    with pytest.raises(LockHeldError, match="being changed by ann@desk"):
        acquire_lock(FakeNode([HELD, HELD]), PROJECT, "prune", wait_seconds=6)


@pytest.mark.parametrize(
    ("said", "holder"),
    [
        (f'{HELD.stderr[:-1]}, "pid": 7}}', "ann@desk (deploy, since 2030-01-02T03:04:05+00:00)"),
        ('{"who": "ann@desk", "what": "deploy", "since": "10:00"}', "an unknown holder"),
        ("", "an unknown holder"),
        ("[]", "an unknown holder"),
        ("half a li", "an unknown holder"),
    ],
)
def test_a_refusal_names_the_holder_and_what_to_type(said: str, holder: str) -> None:
    with pytest.raises(LockHeldError) as caught:
        acquire_lock(FakeNode([Result(75, "", said)]), PROJECT, "prune")

    assert caught.value.message == f"shop-www is being changed by {holder}"
    assert "--wait SECONDS" in caught.value.hint
    assert "fab unlock" in caught.value.hint


def test_a_lock_that_cannot_be_acquired_says_why() -> None:
    node = FakeNode([Result(1, "", "sudo: a password is required\n")])

    with pytest.raises(DeployError, match="cannot be acquired: sudo: a password is required"):
        acquire_lock(node, PROJECT, "prune")


def test_breaking_a_lock_returns_its_holder() -> None:
    node = FakeNode([Result(0, HELD.stderr, "")])

    assert str(break_lock(node, "shop-www", "{}")).startswith("ann@desk (deploy, since 2030")
    assert node.commands == [Command("unlock", ("shop-www", "{}"))]


def test_breaking_a_free_lock_returns_nothing() -> None:
    assert break_lock(FakeNode([Result(0, "null\n", "")]), "shop-www", "{}") is None


@pytest.mark.parametrize("answer", [Result(1, "", "does not end"), Result(0, "nonsense", "")])
def test_a_lock_that_cannot_be_broken_is_reported(answer: Result) -> None:
    with pytest.raises(DeployError, match=r"does not end|holder of the lock cannot be read"):
        break_lock(FakeNode([answer]), "shop-www", "{}")


@pytest.mark.parametrize(
    ("breaks", "kind", "detail"),
    [
        (fails, DeployError, "prune failed on the node: no room"),
        (interrupts, KeyboardInterrupt, "KeyboardInterrupt"),
    ],
)
def test_a_failure_is_written_to_the_journal_in_one_line_and_raised_again(
    breaks: Callable[[], None], kind: type[BaseException], detail: str
) -> None:
    node = FakeNode([Result(0, "", "")])

    with pytest.raises(kind), audit_failures(node, LINE):
        breaks()
    (written,) = node.commands
    assert json.loads(written.arguments[0])["result"] == "failed"
    assert json.loads(written.arguments[0])["detail"] == detail


def test_a_failure_that_cannot_be_written_to_the_journal_is_raised_all_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = FakeNode([Result(1, "", "no space left")])

    with pytest.raises(DeployError, match="no room"), audit_failures(node, LINE):
        fails()
    assert "no space left" in capsys.readouterr().err


def test_a_success_is_not_written_by_audit_failures() -> None:
    node = FakeNode([])

    with audit_failures(node, LINE):
        pass
    assert node.commands == []
