"""What verbs need of a node: run a command, and check that it succeeded."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from deploy.errors import DeployError
from deploy.node.command import Command

_LONGEST_ERROR = 4000


@dataclass(frozen=True, slots=True)
class Result:
    """A command's exit code and output."""

    code: int
    stdout: str
    stderr: str

    @property
    def error_text(self) -> str:
        """The end of stderr; the exit code if stderr is empty."""
        said = self.stderr.strip()[-_LONGEST_ERROR:]
        return said or f"exit code {self.code}"


class Remote(Protocol):
    """A node that runs commands."""

    @property
    def name(self) -> str:
        """The node's name in messages."""
        return "the node"

    @property
    def trouble(self) -> str:
        """Why its answers may not be how the node is now; empty where it answers itself."""
        return ""

    def checked(self, command: Command, doing: str, hint: str = "") -> str:
        """Run a command that must succeed; return its stdout; `doing` names it in messages.

        Raises:
            DeployError: `DOING failed on NODE: its stderr`, with the hint.
        """
        result = self.run(command)
        if result.code:
            raise DeployError(f"{doing} failed on {self.name}: {result.error_text}", hint)
        return result.stdout

    def round_trip(self) -> float:
        """Return the shortest round trip measured so far, in seconds; infinite before the first."""
        ...

    def relay(self, line: str, stdin: int, stdout: int, stderr: int) -> int:
        """Run a shell's command line with open files as its own; return its exit code."""
        ...

    def run(self, command: Command) -> Result:
        """Run a command to its end; a failure is not raised."""
        return self.send(command, (command.stdin,))

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        """Run a command whose stdin is produced while it runs."""
        ...

    def hold(self, command: Command) -> Result:
        """Start a command that prints one line, then runs until the connection closes."""
        ...
