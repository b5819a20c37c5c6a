"""The desired state of an app on a node."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.image.plan.image import Image
from deploy.node.file import File
from deploy.node.release import Proof


@dataclass(frozen=True, slots=True)
class Switch:
    """How a release takes over (slots, restart or socket), and a command to run before that.

    `tls` says who ends TLS: the app, the node's proxy, or neither.
    """

    mode: str = "slots"
    before: tuple[str, ...] = ()
    tls: str = "app"


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The desired state of an app; certificate and key file go by their SHA-256.

    `files` maps the path of a project file to its hash and mode. `subnets` are the IPv4 and IPv6
    subnets of the app's network, `proof` is how the release is checked. Credentials in `reseal` are
    sealed even if the node has them.
    """

    app: str
    image: Image
    units: tuple[File, ...]
    files: Mapping[str, str]
    certificate: str
    key: str
    credentials: tuple[str, ...]
    subnets: tuple[str, ...]
    switch: Switch
    proof: Proof
    reseal: frozenset[str] = frozenset()
