"""Write what a verb did, or failed to do, to the node's journal of changes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from deploy.console import output
from deploy.errors import DeployError
from deploy.node import command
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.node.schema import Versioned
from deploy.project import Project
from deploy.workstation.git import author

# As the app of a line that is about the machine.
MACHINE = "node"


class AuditLine(Versioned):
    """One change. `address` and `login` are the node's own finding, never ours to write."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)
    noun = "line in its journal of changes"
    at: datetime
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
    def _name_the_author(cls, data: object) -> object:
        """Read the lines of older corefabs, which say `by`."""
        if isinstance(data, dict) and "by" in data:
            return {"who": data["by"]} | {name: data[name] for name in data if name != "by"}
        return data

    def to_json(self) -> str:
        """Write the line for the node, which adds its schema version and where it came from."""
        values = self.model_dump(
            mode="json", exclude={"address", "login", "schema_version"}, exclude_defaults=True
        )
        told = {"what": self.what, "result": self.result, "at": f"{self.at:%Y-%m-%dT%H:%M:%S%z}"}
        return json.dumps(values | told)


def audit_line(project: Project, what: str, detail: str = "") -> AuditLine:
    """Start a line about a change of the app, made now."""
    return _line(project.folder, project.settings.app, what, detail)


def machine_line(folder: Path, what: str, detail: str) -> AuditLine:
    """Start a line about a change of the machine, made now."""
    return _line(folder, MACHINE, what, detail)


def _line(folder: Path, app: str, what: str, detail: str) -> AuditLine:
    made_by = author(folder)
    return AuditLine(
        at=datetime.now(UTC),
        app=app,
        what=what,
        who=made_by.who,
        commit=made_by.commit,
        dirty=made_by.dirty,
        detail=detail,
    )


def write_audit(remote: Remote, line: AuditLine) -> None:
    """Append a line.

    Raises:
        DeployError: when the node cannot.
    """
    remote.checked(
        command.audit(line.to_json()),
        f"writing {line.what}, which is done, to the journal of changes",
        "is the node's disk full? /var/lib/corefab/audit.log is appended to",
    )


def read_journal(remote: Remote, app: str, count: int) -> tuple[AuditLine, ...]:
    """Read the journal's last lines about an app and its machine; every app's for `-`.

    Raises:
        DeployError: when the node refuses.
    """
    wanted = Command("audit-lines", (app, str(count)))
    return tuple(read_audit(remote.checked(wanted, "reading the journal of changes")))


def read_audit(text: str) -> Iterator[AuditLine]:
    """Read lines of the journal; one that a power cut left half-written is passed over.

    Raises:
        DeployError: for a line of a newer corefab.
    """
    for line in text.splitlines():
        try:
            yield AuditLine.model_validate_json(line)
        except ValidationError:
            continue


@contextmanager
def audit_failures(remote: Remote, line: AuditLine) -> Iterator[None]:
    """Run a block; whatever ends it early is written down as a failure, and raised again."""
    try:
        yield
    except BaseException as error:
        why = error.message if isinstance(error, DeployError) else type(error).__name__
        _try_to_write(remote, line.model_copy(update={"result": "failed", "detail": _first(why)}))
        raise


def _first(text: str) -> str:
    """Keep the first line: what follows are the app's own words, which may hold anything."""
    return text.partition("\n")[0]


def _try_to_write(remote: Remote, line: AuditLine) -> None:
    try:
        write_audit(remote, line)
    except DeployError as error:
        output.warn(f"the failure is not in the node's journal of changes: {error.message}")
