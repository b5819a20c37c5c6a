"""Probe the state of an app on a node."""

from collections.abc import Mapping
from ipaddress import ip_network
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from deploy.node.answer import Count, Digest, ReleaseName, Seconds, Value, read_answer
from deploy.node.command import Command
from deploy.node.holdings import CredentialState, credential_lines
from deploy.node.release import Manifest
from deploy.node.remote import Remote
from deploy.node.schema import Versioned

_PLACES = {"storage", "scratch", "incoming"}
# Four times what the kernel stacks.
_MOST_LAYERS = 2000
# The names of `uname -m` that differ from those of image configs.
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class FileState(Value):
    """A file on a node; `mode` is permission bits and owner: `stat -c '%a %U:%G'`."""

    mode: str
    sha256: str


class Interrupted(Versioned):
    """A deploy that did not finish: its release and the previous one (empty for none)."""

    noun = "record of an unfinished deploy"
    release: ReleaseName
    previous: Literal[""] | ReleaseName


class Partial(Value):
    """The rest of a broken image transfer: bytes of each layer, and one incomplete chunk."""

    layers: dict[str, Count] = Field(default_factory=dict)
    key: str = ""
    bytes: Count = 0
    sha256: str = ""


class Disk(Value):
    """The file system of a path: its device number and free bytes."""

    device: Count
    free: Count


def _every_place(disks: dict[str, Disk]) -> dict[str, Disk]:
    if lacking := _PLACES - disks.keys():
        raise ValueError(f"without {', '.join(sorted(lacking))}")
    return disks


def _subnet(text: str) -> str:
    ip_network(text, strict=False)
    return text


class Route(Value):
    """A subnet in use on a node; `network` is the podman network it belongs to, if any."""

    subnet: Annotated[str, AfterValidator(_subnet)]
    interface: str
    network: str = ""

    @property
    def where(self) -> str:
        """What uses the subnet."""
        return f"podman network {self.network}" if self.network else self.interface


class NodeState(Value):
    """The answer to `probe`; sizes are in bytes, images and layers are named by digest.

    `clock` is the node's time in seconds since 1970, `machine` what `uname -m` prints. `slot` is
    the serving slot, empty for none; `leftover` is the other slot if it still runs, `proxy` the
    release of the node's proxy, empty for none. `active`, `sub_state`, `result`, `exit_status` and
    `status_text` are ActiveState, SubState, Result, ExecMainStatus and StatusText of the unit that
    serves. `ipv6` tells whether a new interface of the node can have an IPv6 address.
    """

    clock: Seconds
    machine: Annotated[str, Field(pattern="^[a-z0-9_]{1,32}$")]
    boot_id: str
    os: str
    podman: str
    skopeo: str
    systemd: str
    manifest: Manifest | None
    interrupted: Interrupted | None
    disks: Annotated[dict[str, Disk], AfterValidator(_every_place)]
    firewall: str
    door: str
    slot: str
    proxy: Literal[""] | ReleaseName = ""
    leftover: str
    routes: tuple[Route, ...]
    ipv6: bool = True
    active: str
    since: str
    restarts: Count
    layers: dict[Digest, Annotated[tuple[Digest, ...], Field(max_length=_MOST_LAYERS)]]
    partial: dict[str, Partial]
    sub_state: str
    result: str
    exit_status: str
    status_text: str
    files: dict[str, FileState]
    credentials: dict[str, CredentialState]
    staged_update: str
    # What was decided of the last update, with UPDATE_HEALTH_SECONDS.
    os_update: str = ""

    @property
    def platform(self) -> str:
        """The platform that images have to be built for, as podman names it."""
        return f"linux/{_ARCHITECTURES.get(self.machine, self.machine)}"

    @property
    def images(self) -> frozenset[str]:
        """The ids of the images on the node."""
        return frozenset(self.layers)

    @property
    def release(self) -> str:
        """The release that serves; empty for none."""
        return self.manifest.release if self.manifest else ""


def probe(
    remote: Remote,
    app: str,
    *,
    paths: tuple[str, ...] = (),
    credentials: Mapping[str, str | None] = MappingProxyType({}),
) -> NodeState:
    """Read the state of an app; credentials with a value are compared on the node.

    Raises:
        DeployError: when the node fails to answer.
    """
    answer = remote.checked(
        Command("probe", (app, *paths), credential_lines(credentials)),
        f"reading the state of {app}",
        "NODE_USER needs sudo without a password; the node needs podman, jq and systemd-creds",
    )
    return read_answer(NodeState, answer, "the node's state", app=app)
