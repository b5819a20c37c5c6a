"""A node without a login: its status page answers in its place."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.journal import MACHINE
from deploy.node.remote import Remote, Result
from deploy.page.plan.page import Page

# How many lines a page has: page.sh has the same.
JOURNAL_LINES = 40
_JOURNAL = "audit-lines"
_EVERY_APP = "-"


@dataclass(frozen=True, slots=True)
class PageRemote(Remote):
    """Answers commands with what a status page has for them; it changes nothing."""

    node: str
    page: Page
    now: float

    @property
    def name(self) -> str:
        """The node's address."""
        return self.node

    @property
    def trouble(self) -> str:
        """Why the page does not tell how the node is now; empty where it does."""
        return self.page.trouble(self.now)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:  # noqa: ARG002 -- as Remote has it
        """Answer a command that only looks.

        Raises:
            DeployError: when the page has no answer to it.
        """
        if command.script == _JOURNAL:
            return Result(0, self._journal(*command.arguments), "")
        answer = self.page.answers.get(str(command))
        if answer is None:
            raise DeployError(
                f"the status page of {self.node} has nothing about `{command}`",
                "the app may not be there; why a part is missing is in the node's journal: on its "
                "console, `journalctl -u corefab-status`",
            )
        return Result(0, answer, "")

    def round_trip(self) -> float:
        """Return nothing that could be measured."""
        return 0.0

    def relay(self, *_: object) -> int:
        """Refuse: there is no login.

        Raises:
            DeployError: always.
        """
        raise self._refusal()

    def hold(self, *_: object) -> Result:
        """Refuse: there is no login.

        Raises:
            DeployError: always.
        """
        raise self._refusal()

    def _journal(self, app: str, count: str) -> str:
        """Choose lines as the script does, of those that the page has."""
        text = self.page.answers.get(f"{_JOURNAL} {_EVERY_APP} {JOURNAL_LINES}", "")
        lines = [line for line in text.split("\n") if line and _is_about(line, app)]
        return "".join(f"{line}\n" for line in lines[-int(count) :])

    def _refusal(self) -> DeployError:
        return DeployError(f"{self.node} has SSH=off", "its status page can only be looked at")


def _is_about(line: str, app: str) -> bool:
    try:
        found = json.loads(line)
    except ValueError:
        return False
    about = found.get("app") if isinstance(found, dict) else None
    return app == _EVERY_APP or about in {app, MACHINE}
