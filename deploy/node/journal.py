"""A node's journal of changes: who did what, from where, and its result."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from deploy.console import output
from deploy.errors import DeployError, reason
from deploy.node.answer import Moment
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.node.schema import Versioned
from deploy.project import Project
from deploy.workstation.git import author

# The app in a line about the machine.
MACHINE = "node"


class AuditLine(Versioned):
    """One change; the node itself adds `address` and `login`."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    noun = "line in its journal of changes"
    at: Moment
    app: str
    what: str = "deploy"
    who: str
    result: Literal["ok", "failed"] = "ok"
    release: str = ""
    previous: str = ""
    image: str = ""
    commit: str = ""
    dirty: bool = False
    detail: str = ""
    address: str = Field(default="", alias="from")
    login: str = ""

    @model_validator(mode="before")
    @classmethod
    def _read_old_author(cls, data: object) -> object:
        """Accept lines of older versions, which have `by` for `who`."""
        if isinstance(data, dict) and "by" in data:
            return {"who": data["by"]} | {name: data[name] for name in data if name != "by"}
        return data

    def to_json(self) -> str:
        """Write the line for the node, which adds schema version, address and login."""
        values = self.model_dump(
            mode="json", exclude={"address", "login", "schema_version"}, exclude_defaults=True
        )
        fixed = {"what": self.what, "result": self.result, "at": f"{self.at:%Y-%m-%dT%H:%M:%S%z}"}
        return json.dumps(values | fixed)


def audit_line(project: Project, what: str, detail: str = "", *, app: str = "") -> AuditLine:
    """Create a line about a change made now: of the app, or of the machine for app MACHINE."""
    made_by = author(project.folder)
    return AuditLine(
        at=datetime.now(UTC),
        app=app or project.settings.app,
        what=what,
        who=made_by.who,
        commit=made_by.commit,
        dirty=made_by.dirty,
        detail=detail,
    )


def write_audit(remote: Remote, line: AuditLine) -> None:
    """Append a line.

    Raises:
        DeployError: when the node cannot write it.
    """
    remote.checked(
        Command("audit", (line.to_json(),)),
        f"{line.what} is done, but writing it to the journal of changes",
        "is the node's disk full? /var/lib/corefab/audit.log is appended to",
    )


def read_journal(remote: Remote, app: str, count: int) -> tuple[AuditLine, ...]:
    """Read the last lines about an app and the machine; app `-` means every app.

    Raises:
        DeployError: when the node fails to answer.
    """
    wanted = Command("audit-lines", (app, str(count)))
    return tuple(read_audit(remote.checked(wanted, "reading the journal of changes")))


def read_audit(text: str) -> Iterator[AuditLine]:
    """Parse lines of the journal; skip invalid ones, which a power cut may leave.

    Raises:
        DeployError: when a newer corefab wrote a line.
    """
    # A line may hold other characters that splitlines() takes for a line's end.
    for line in text.split("\n"):
        try:
            yield AuditLine.model_validate_json(line)
        except ValidationError:
            continue


@contextmanager
def audit_failures(remote: Remote, line: AuditLine) -> Iterator[None]:
    """Write a failure of the block to the journal, and raise it again."""
    try:
        yield
    except BaseException as error:
        # The lines after the first are the app's own output, which may contain secrets.
        failed = {"result": "failed", "detail": reason(error).partition("\n")[0]}
        try:
            write_audit(remote, line.model_copy(update=failed))
        except DeployError as unwritten:
            problem = "the failure is not in the node's journal of changes"
            output.warn(f"{problem}: {unwritten.message}")
        raise
