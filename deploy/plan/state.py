"""What a node holds of an app, and reading it from a probe's answer."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.errors import DeployError
from deploy.plan.release import Manifest

CredentialState = Literal["absent", "present", "same", "different"]


class HeldFile(BaseModel):
    """A file as a node holds it: `mode` as `stat -c '%a %U:%G'` writes it."""

    model_config = ConfigDict(frozen=True)
    mode: str
    sha256: str


class Interrupted(BaseModel):
    """A deploy that did not end: its release, and the one before it (empty for none)."""

    model_config = ConfigDict(frozen=True)
    release: str
    previous: str


class NodeState(BaseModel):
    """A probe's answer; sizes are in bytes.

    `active`, `word`, `result`, `exit_status` and `said` are the unit's ActiveState, SubState,
    Result, ExecMainStatus and StatusText.
    """

    model_config = ConfigDict(frozen=True)
    boot_id: str
    os: str
    podman: str
    systemd: str
    manifest: Manifest | None
    interrupted: Interrupted | None
    storage_free: int
    scratch_free: int
    firewall: str
    active: str
    since: str
    restarts: int
    word: str
    result: str
    exit_status: str
    said: str
    images: frozenset[str]
    files: dict[str, HeldFile]
    credentials: dict[str, CredentialState]
    staged_update: str


def read_state(answer: str) -> NodeState:
    """Read a probe's JSON.

    Raises:
        DeployError: when the answer is not what the probe writes.
    """
    try:
        return NodeState.model_validate_json(answer)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise DeployError(
            f"the node's answer cannot be read at {place}: {first['msg']}",
            "run the command with --debug to see it; the node may hold files of a newer corefab",
        ) from error
