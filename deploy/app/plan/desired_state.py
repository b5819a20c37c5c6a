"""The desired state of an app on a node."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.image.plan.image import Image
from deploy.node.file import File


@dataclass(frozen=True, slots=True)
class Switch:
    """How a release takes over (slots, restart or socket), and a command to run before that."""

    mode: str = "slots"
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The desired state of an app; certificate and key file go by their SHA-256.

    `files` maps the path of a project file to its hash and mode. `subnets` are the IPv4 and IPv6
    subnets of the app's network. Credentials in `reseal` are sealed even if the node has them.
    """

    app: str
    image: Image
    units: tuple[File, ...]
    files: Mapping[str, str]
    certificate: str
    key: str
    credentials: tuple[str, ...]
    subnets: tuple[str, str]
    switch: Switch
    reseal: frozenset[str] = frozenset()
