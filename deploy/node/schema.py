"""The version of what corefab writes on a node, and the refusal of what a newer one wrote."""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deploy.errors import DeployError

# What has no version was written before there was one, and is of version 1.
SCHEMA = 1
_MARK = re.compile(r"(?P<version>\d{1,9}):.*", re.DOTALL)


class Versioned(BaseModel):
    """Something that lies on a node in JSON; whatever version was read, SCHEMA is written."""

    model_config = ConfigDict(frozen=True)
    noun: ClassVar[str]
    schema_version: int = Field(default=SCHEMA, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _take_version(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        version = data.get("schema_version", SCHEMA)
        if type(version) is not int:
            return data
        refuse_newer(cls.noun, version)
        return data | {"schema_version": SCHEMA}


def refuse_newer(what: str, version: int) -> None:
    """Refuse what this corefab does not know how to read.

    Raises:
        DeployError: naming both versions.
    """
    if version > SCHEMA:
        raise DeployError(
            f"the node has a {what} of schema version {version}; this corefab knows up to {SCHEMA}",
            "a newer corefab wrote it: upgrade corefab here (`git pull` in its checkout)",
        )


def spec_mark(text: str) -> str:
    """Read the mark of a machine spec: a hash; a version before it, `VERSION:…`, when it is not 1.

    Raises:
        DeployError: for a version that is newer than known.
    """
    mark = text.strip()
    if found := _MARK.fullmatch(mark):
        refuse_newer("machine spec", int(found["version"]))
    return mark
