"""Certificates, keys and credentials as a node has them."""

import base64
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.node.answer import read_answer
from deploy.node.command import Command
from deploy.node.release import Manifest
from deploy.node.remote import Remote

# How a credential's value compares with the sealed one; `present` where no value was at hand.
CredentialState = Literal["absent", "present", "same", "different"]
# What a sealed credential begins with (systemd's creds-util.h).
_SEALS = {
    "5a1c6a86df9d4096b1d5a65e0862f19a": "host",
    "55b9ed1d38594d43a8319d2ebb332ac6": "host",
    "0c7cc07b117645919c4b0bea08bc20fe": "tpm2",
    "faf7eb9341e3412ca1a436f95a29362f": "tpm2",
    "93a894094874449090caf2fc93cab553": "host+tpm2",
    "ef4ac13679a9480ea7db68897f9f165d": "host+tpm2",
    "af4950a849134eb1a73846304ff30c05": "host+tpm2",
    "adbc4ca3efb64201ba881b6f2e4095ea": "host+tpm2",
    "058469daf6f54324800549da0f8ea2fb": "nothing",
}


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class HostKey(_Value):
    """A host key, `TYPE BASE64`, and how long it has been there; `next` ones are announced only."""

    key: str
    age_seconds: int
    next: bool = False


class HostKeys(_Value):
    """The host keys of a node, and whether a change of them has begun and has not ended."""

    keys: tuple[HostKey, ...]
    changing: bool


class AuthorizedKey(_Value):
    """A line that lets a user in, its file, and how long that has been there."""

    user: str
    file: str
    line: str
    age_seconds: int


class SealedCredential(_Value):
    """A sealed credential; `seal` is what it begins with, `opens` whether this node opens it."""

    name: str
    age_seconds: int
    seal: str
    opens: bool

    @property
    def sealed_with(self) -> str:
        """Name the keys that it is sealed with: host, tpm2, host+tpm2, or nothing."""
        return _SEALS.get(self.seal, "unknown")


class Holdings(_Value):
    """All of it; `clock` is the node's, in seconds, chains are PEM or empty.

    `compared` are the credentials that the question named.
    """

    clock: int
    release: str
    inside: str
    manifest: Manifest | None
    host_keys: tuple[HostKey, ...]
    access: tuple[AuthorizedKey, ...]
    credentials: tuple[SealedCredential, ...]
    compared: dict[str, CredentialState]

    @property
    def generations(self) -> dict[str, int]:
        """How often each credential of the serving release was sealed."""
        return self.manifest.generations if self.manifest else {}


def ask_holdings(
    remote: Remote, app: str, user: str, credentials: Mapping[str, str | None]
) -> Holdings:
    """Ask for all of an app's; credentials with a value are compared on the node.

    Raises:
        DeployError: when the node cannot answer.
    """
    wanted = Command("holdings", (app, user), credential_lines(credentials))
    answer = remote.checked(wanted, "listing certificates, keys and credentials")
    return read_answer(Holdings, answer, "what the node holds")


def credential_lines(credentials: Mapping[str, str | None]) -> bytes:
    """Write the credentials that a node is to compare; `-` for one without a value."""
    lines = (
        f"{name} {'-' if value is None else base64.b64encode(value.encode()).decode()}\n"
        for name, value in credentials.items()
    )
    return "".join(lines).encode()
