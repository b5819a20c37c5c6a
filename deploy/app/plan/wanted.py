"""What a node should hold of an app: the desired side of a deploy."""

from collections.abc import Mapping
from dataclasses import dataclass

from deploy.image.plan.image import Image
from deploy.node.file import File


@dataclass(frozen=True, slots=True)
class Switch:
    """How a release takes over: slots, restart or socket; and a command to run before it does."""

    mode: str = "slots"
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a node should hold of an app; `files` maps a project file's path to its mark.

    `switch` says how the front door moves, `subnets` which addresses the app's network has.
    Credentials in `reseal` are sealed again, whatever the node holds.
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
