"""A line of a node's journal of changes: who did what, from where, and what came of it."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from deploy.node.schema import Versioned


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

    def written(self) -> str:
        """Write the line for the node, which adds its schema version and where it came from."""
        values = self.model_dump(
            mode="json", exclude={"address", "login", "schema_version"}, exclude_defaults=True
        )
        told = {"what": self.what, "result": self.result, "at": f"{self.at:%Y-%m-%dT%H:%M:%S%z}"}
        return json.dumps(values | told)


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
