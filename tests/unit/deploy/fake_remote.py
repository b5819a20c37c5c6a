"""A node for the tests of verbs: it records the commands that it gets and answers from a table."""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from deploy.errors import DeployError
from deploy.node import session
from deploy.node.command import Command
from deploy.node.remote import Remote, Result
from deploy.node.script import MARK
from deploy.workstation import git
from deploy.workstation.programs import ProgramError

# What a script prints; a whole result; what it raises; a list of these, one for each call, the
# last of which stays; or a function of the command that gives one of them.
Answer = str | Result | BaseException | list["Answer"] | Callable[[Command], "str | Result"]
_USUAL: Mapping[str, Answer] = {"lock": "held\n", "state": "active 0\n", "workers": "null\n"}


@dataclass
class FakeRemote(Remote):
    """Record each command with its stdin; succeed silently where `answers` has no answer."""

    answers: dict[str, Answer] = field(default_factory=dict)
    commands: list[Command] = field(default_factory=list)

    def round_trip(self) -> float:
        return 0.0

    def relay(self, line: str, stdin: int, stdout: int, stderr: int) -> int:
        """Run the command line in a shell here."""
        return subprocess.run(
            ["bash", "-c", line.removeprefix(f"echo {MARK}; ")],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            check=False,
        ).returncode

    def run(self, command: Command) -> Result:
        self.commands.append(command)
        answer = self.answers.get(command.script, _USUAL.get(command.script, ""))
        return _result(answer, command)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        return self.run(Command(command.script, command.arguments, b"".join(parts)))

    def hold(self, command: Command) -> Result:
        return self.run(command)

    def follow(self, command: Command, on_line: Callable[[str], None]) -> Result:
        result = self.run(command)
        for line in result.stdout.splitlines():
            on_line(line)
        return result

    @property
    def scripts(self) -> list[str]:
        """The names of the scripts that were run, in order."""
        return [command.script for command in self.commands]

    def all_of(self, script: str) -> list[Command]:
        """Give every call of a script."""
        return [command for command in self.commands if command.script == script]

    def the(self, script: str) -> Command:
        """Give the only call of a script."""
        (command,) = self.all_of(script)
        return command


def refusal(why: str, code: int = 1) -> Result:
    """Make the result of a script that fails and says why."""
    return Result(code, "", f"{why}\n")


def lost() -> DeployError:
    """Make the error of a connection that breaks."""
    return DeployError("the connection to the node was lost", "run the same command again")


def reach(monkeypatch: pytest.MonkeyPatch, remote: FakeRemote) -> FakeRemote:
    """Have every verb that logs in to a node reach this one; the workstation has no git."""

    @contextmanager
    def open_session(*_: object, **__: object) -> Iterator[FakeRemote]:
        yield remote

    def no_git(*_: object, **__: object) -> bytes:
        raise ProgramError("git is not installed here", "install git")

    monkeypatch.setattr(session, "open_session", open_session)
    monkeypatch.setattr(git, "run", no_git)
    return remote


def _result(answer: Answer, command: Command) -> Result:
    if isinstance(answer, list):
        answer = answer.pop(0) if len(answer) > 1 else answer[0]
    if isinstance(answer, BaseException):
        raise answer
    if callable(answer):
        answer = answer(command)
    return answer if isinstance(answer, Result) else Result(0, str(answer), "")
