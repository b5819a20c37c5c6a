"""The schema version of files on a node; refuse files of a newer corefab."""

import re
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deploy.errors import DeployError

# Files without a version count as version 1.
SCHEMA = 1
_VERSIONED = re.compile(r"(?P<version>\d{1,9}):.*", re.DOTALL)


class Versioned(BaseModel):
    """A JSON file on a node; `noun` names it in messages.

    An older one is read as the present version, and written as such.
    """

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
    """Refuse a file with a newer schema version.

    Raises:
        DeployError: with both versions.
    """
    if version > SCHEMA:
        raise DeployError(
            f"the node has a {what} of schema version {version}; this corefab knows up to {SCHEMA}",
            "a newer corefab wrote it: upgrade corefab here (`git pull` in its checkout)",
        )


def spec_hash(text: str) -> str:
    """Parse the hash of a machine spec; from schema version 2 on it is `VERSION:HASH`.

    Raises:
        DeployError: when the version is newer.
    """
    found = text.strip()
    if versioned := _VERSIONED.fullmatch(found):
        refuse_newer("machine spec", int(versioned["version"]))
    return found
