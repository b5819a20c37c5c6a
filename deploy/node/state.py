"""What a node holds of an app."""

from pydantic import BaseModel, ConfigDict, Field

from deploy.node.holdings import CredentialState
from deploy.node.release import Manifest
from deploy.node.schema import Versioned


class HeldFile(BaseModel):
    """A file as a node holds it: `mode` as `stat -c '%a %U:%G'` writes it."""

    model_config = ConfigDict(frozen=True)
    mode: str
    sha256: str


class Interrupted(Versioned):
    """A deploy that did not end: its release, and the one before it (empty for none)."""

    noun = "mark of an unfinished deploy"
    release: str
    previous: str


class Partial(BaseModel):
    """What an interrupted image transfer left: bytes of each layer, and one partial chunk."""

    model_config = ConfigDict(frozen=True)
    layers: dict[str, int] = Field(default_factory=dict)
    key: str = ""
    bytes: int = 0
    sha256: str = ""


class Disk(BaseModel):
    """Where a path of the node lies: the number of its file system, and the bytes free there."""

    model_config = ConfigDict(frozen=True)
    device: int
    free: int


class Route(BaseModel):
    """Addresses in use on a node; `network` names the podman network they belong to, if any."""

    model_config = ConfigDict(frozen=True)
    subnet: str
    interface: str
    network: str = ""

    @property
    def where(self) -> str:
        """Say what uses them."""
        return f"podman network {self.network}" if self.network else self.interface


class NodeState(BaseModel):
    """A probe's answer; sizes are in bytes, images and layers go by their digests.

    `clock` is the node's, in seconds of the epoch.

    `slot` is the one that serves, empty for none; `leftover` the other when it still runs.
    `active`, `word`, `result`, `exit_status` and `said` are ActiveState, SubState, Result,
    ExecMainStatus and StatusText of the unit that serves.
    """

    model_config = ConfigDict(frozen=True)
    clock: int
    boot_id: str
    os: str
    podman: str
    skopeo: str
    systemd: str
    manifest: Manifest | None
    interrupted: Interrupted | None
    disks: dict[str, Disk]
    firewall: str
    door: str
    slot: str
    leftover: str
    routes: tuple[Route, ...]
    active: str
    since: str
    restarts: int
    layers: dict[str, tuple[str, ...]]
    partial: dict[str, Partial]
    word: str
    result: str
    exit_status: str
    said: str
    files: dict[str, HeldFile]
    credentials: dict[str, CredentialState]
    staged_update: str

    @property
    def images(self) -> frozenset[str]:
        """The ids of the images there."""
        return frozenset(self.layers)
