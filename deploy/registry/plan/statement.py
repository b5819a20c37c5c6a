"""What a signature states: which image a tag names, in which order, and which one it named before.

It is the payload of a simple signing signature. Podman and skopeo check digest and repository;
tag and sequence are for the updater, which takes no lower sequence than it has seen.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

_TYPE = "cosign container image signature"


@dataclass(frozen=True, slots=True)
class Statement:
    """`reference`, a tag with its repository, names `image`; `previous` is empty at the first."""

    reference: str
    image: str
    sequence: int
    previous: str = ""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, alias_generator=lambda name: name.replace("_", "-"))


class _Identity(_Part):
    docker_reference: str


class _Image(_Part):
    docker_manifest_digest: str


class _Critical(_Part):
    identity: _Identity
    image: _Image
    type: Literal["cosign container image signature"]


class _Optional(_Part):
    sequence: int = Field(ge=1, lt=2**53)
    previous: str = Field(default="", pattern=r"^(sha256:[0-9a-f]{64})?$")


class _Payload(_Part):
    critical: _Critical
    optional: _Optional


def payload(statement: Statement) -> bytes:
    """Write the bytes to sign."""
    found: dict[str, Any] = {
        "critical": {
            "identity": {"docker-reference": statement.reference},
            "image": {"docker-manifest-digest": statement.image},
            "type": _TYPE,
        },
        "optional": {"creator": "corefab", "sequence": statement.sequence},
    }
    if statement.previous:
        found["optional"]["previous"] = statement.previous
    return json.dumps(found, separators=(",", ":")).encode()


def read_payload(data: bytes) -> Statement | None:
    """Read signed bytes; None for those of others, such as cosign's, which have no sequence."""
    with contextlib.suppress(ValidationError):
        found = _Payload.model_validate_json(data)
        return Statement(
            found.critical.identity.docker_reference,
            found.critical.image.docker_manifest_digest,
            found.optional.sequence,
            found.optional.previous,
        )
    return None


def next_sequence(milliseconds: int, seen: Iterable[int]) -> int:
    """Choose a sequence above all that were seen: the time, unless a clock was ahead before.

    By the time, because a workstation that saw none of the earlier ones must not begin again at 1.
    """
    return max(milliseconds, *(one + 1 for one in seen), 1)
