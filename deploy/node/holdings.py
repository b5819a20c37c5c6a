"""Read the certificates, keys and credentials on a node."""

import base64
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from deploy.node.answer import OneLine, Seconds, Value, read_answer
from deploy.node.command import Command
from deploy.node.release import Manifest
from deploy.node.remote import Remote
from deploy.settings.model import PROXY_APP

# How a credential's value compares with the sealed one; `present` where no value was given,
# `unreadable` where the node cannot decrypt its own.
CredentialState = Literal["absent", "unreadable", "present", "same", "different"]
# The type id at the start of a sealed credential (systemd's creds-util.h).
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


class NodeHostKey(Value):
    """A host key `TYPE BASE64` and its age; a `next` one is announced but not shown yet."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9@.-]{1,64} [A-Za-z0-9+/=]{1,16384}$")]
    age_seconds: Seconds
    next: bool = False


class HostKeys(Value):
    """The host keys of a node, and whether they are being changed."""

    keys: tuple[NodeHostKey, ...]
    changing: bool


class AuthorizedKey(Value):
    """A line of an authorized_keys file, with the file and its age."""

    user: str
    file: OneLine
    line: str
    age_seconds: Seconds


class SealedCredential(Value):
    """A sealed credential; `seal` is its type id, `opens` whether this node can decrypt it."""

    name: str
    age_seconds: Seconds
    seal: str
    opens: bool

    @property
    def sealed_with(self) -> str:
        """What it is sealed with: host, tpm2, host+tpm2 or nothing."""
        return _SEALS.get(self.seal, "unknown")


class Holdings(Value):
    """The answer to `ask_holdings`.

    `clock` is the node's time in seconds since 1970. `release` and `inside` are the certificate
    chains of the release and inside the container, as PEM or empty. `compared` are the credentials
    that were asked about.
    """

    clock: Seconds
    release: str
    inside: str
    manifest: Manifest | None
    host_keys: tuple[NodeHostKey, ...]
    host_keys_changing: bool
    access: tuple[AuthorizedKey, ...]
    credentials: tuple[SealedCredential, ...]
    compared: dict[str, CredentialState]

    @property
    def generations(self) -> dict[str, int]:
        """How many times each credential of the serving release was sealed."""
        return self.manifest.generations if self.manifest else {}


def ask_holdings(remote: Remote, app: str, credentials: Mapping[str, str | None]) -> Holdings:
    """Read an app's holdings; credentials with a value are compared on the node.

    Raises:
        DeployError: when the node fails to answer.
    """
    wanted = Command("holdings", (app,), credential_lines(credentials))
    answer = remote.checked(wanted, "listing certificates, keys and credentials")
    what = "the node's list of certificates, keys and credentials"
    return read_answer(Holdings, answer, what, app=app)


def not_decrypted(app: str, name: str) -> str:
    """Say that a node cannot decrypt a credential of an app, and what to type."""
    verb = "proxy-deploy" if app == PROXY_APP else "creds-seal"
    return f"credential {name} cannot be decrypted on this node; run `fab {verb}`"


def credential_lines(credentials: Mapping[str, str | None]) -> bytes:
    """Write stdin for comparing credentials: name and base64 value a line, `-` for no value."""
    lines = (
        f"{name} {'-' if value is None else base64.b64encode(value.encode()).decode()}\n"
        for name, value in credentials.items()
    )
    return "".join(lines).encode()
