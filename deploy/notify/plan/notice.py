"""What was found, and the notice of it that receivers get."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.notify.plan.text import paragraph, title

Event = Literal["deploy", "drift", "certificate", "node", "health", "pull", "os", "test"]


@dataclass(frozen=True, slots=True)
class Finding:
    """How something is: `state` names it, and another state is news.

    `trouble` is worth a reminder. `lasting` is how something is as long as all is well, which is
    news only after trouble; what just happened is news each time.
    """

    event: Event
    app: str
    node: str
    state: str
    title: str
    text: str = ""
    trouble: bool = False
    lasting: bool = False

    @property
    def key(self) -> str:
        """What the state is of."""
        return f"{self.event} {self.app} {self.node}"


class Notice(BaseModel):
    """A message to a receiver: bounded, visible, and without secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    id: str
    at: datetime
    event: Event
    app: str
    node: str
    state: str
    title: str
    text: str
    trouble: bool
    reminder: bool = False

    @property
    def words(self) -> str:
        """The whole message as plain text."""
        return f"{self.title}\n{self.text}" if self.text else self.title


def notice(
    finding: Finding, number: str, at: datetime, *, reminder: bool, secrets: Iterable[str]
) -> Notice:
    """Make the notice of a finding; no two have the same number."""
    known = tuple(secrets)
    again = "still: " if reminder else ""
    return Notice(
        id=number,
        at=at,
        event=finding.event,
        app=title(finding.app, known),
        node=title(finding.node, known),
        state=title(finding.state, known),
        title=title(f"{again}{finding.title}", known),
        text=paragraph(finding.text, known),
        trouble=finding.trouble,
        reminder=reminder,
    )
