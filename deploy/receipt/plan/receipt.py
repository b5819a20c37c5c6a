"""What a receipt states, as canonical JSON: the manifest of a release, and the receipt before."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from deploy.errors import DeployError
from deploy.node.answer import (
    AskedApp,
    Count,
    Digest,
    Moment,
    ReleaseName,
    Sha256,
    Value,
    read_answer,
    reading,
)
from deploy.node.release import Manifest, Proof
from deploy.node.schema import Versioned

# What a kept release has to have in common with its receipt. Its certificate may have been replaced
# since, and with that the key, the count of the sealed password and the names that are checked.
_CONTENT = ("image", "image_id", "units", "files")
_ORIGIN = ("release", "by", "commit", "dirty", "at")
_MOST = 10**9


@dataclass(frozen=True, slots=True)
class Signed:
    """A receipt as it is kept: the release whose name its file has, its bytes, its signature."""

    release: str
    content: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """The hash by which the next receipt names this one."""
        return hashlib.sha256(self.content).hexdigest()


class Stated(Value):
    """What a receipt states of a manifest: all that is known before the release is started.

    `files` is the hash of the manifest's files, so that a receipt stays small.
    """

    release: ReleaseName
    app: AskedApp
    image: str
    image_id: Digest
    certificate: Literal[""] | Sha256
    key: Literal[""] | Sha256
    units: dict[str, str]
    files: Sha256
    generations: dict[str, Count]
    by: str
    commit: str
    dirty: bool
    at: Moment
    proof: Proof | None


class Receipt(Versioned):
    """A release that was made to serve, as `number` of the chain, by `what` on `node`.

    `previous` is the hash of the receipt before, empty for the first. `replaces` is the release
    that served before, `copies` the one that a rollback went back to; empty for none.
    """

    noun = "receipt"
    number: Annotated[int, Field(ge=1, lt=_MOST)]
    previous: Literal[""] | Sha256
    what: Annotated[str, Field(max_length=100)]
    node: Annotated[str, Field(max_length=300)]
    replaces: Literal[""] | ReleaseName
    copies: Literal[""] | ReleaseName
    manifest: Stated


def canonical(value: object) -> bytes:
    """Write JSON in its one form, as RFC 8785 has it: sorted keys, no spaces, UTF-8.

    It is that for what a receipt has: texts, whole numbers, and no key outside of ASCII and the
    basic plane.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def stated(manifest: Manifest) -> Stated:
    """Say what a receipt states of a manifest."""
    own = manifest.model_dump(exclude={"schema_version", "seconds", "health", "files"})
    return Stated.model_validate(
        own | {"files": hashlib.sha256(canonical(manifest.files)).hexdigest()}
    )


def write_receipt(receipt: Receipt) -> bytes:
    """Write the bytes to sign."""
    return canonical(receipt.model_dump(mode="json"))


def read_receipt(content: bytes, app: str) -> Receipt:
    """Parse a receipt of an app, which a node may have made up.

    Raises:
        DeployError: when it is none, of another app, or not canonical.
    """
    receipt = read_answer(Receipt, content.decode(errors="replace"), "it", app=app)
    with reading("it"):
        if canonical(json.loads(content)) != content:
            raise ValueError("it is not canonical JSON")
    return receipt


def differences(manifest: Manifest, receipt: Receipt) -> tuple[str, ...]:
    """Name what differs between a release that a node keeps and its receipt."""
    return _differing(stated(manifest), receipt.manifest, (*_CONTENT, *_ORIGIN))


def differences_of_copy(copy: Stated, original: Receipt) -> tuple[str, ...]:
    """Name what differs between a release that a rollback made and the receipt of its original."""
    return _differing(copy, original.manifest, _CONTENT)


def next_number(before: Receipt | None) -> int:
    """Give the number behind a receipt.

    Raises:
        DeployError: when there is none.
    """
    number = before.number + 1 if before else 1
    if number >= _MOST:
        raise DeployError("the last receipt has the highest number that there is")
    return number


def _differing(one: Stated, other: Stated, names: tuple[str, ...]) -> tuple[str, ...]:
    mine: Mapping[str, object] = one.model_dump(include=set(names))
    theirs = other.model_dump(include=set(names))
    return tuple(name for name in names if mine[name] != theirs[name])
