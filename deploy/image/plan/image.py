"""A local image, the layers of it that a node lacks, and the disk space they need."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from deploy.console.size import size
from deploy.errors import DeployError
from deploy.image.layers.oci import RunConfig
from deploy.node.state import NodeState

_MARGIN_BYTES = 200_000_000
# Places on the node, and copies of the missing layers there at the worst moment: as received, as
# copied by skopeo before it unpacks them, and unpacked, which takes more space with small files.
_PLACES = {
    "incoming": ("/var/lib/corefab", 1.0),
    "scratch": ("/var/tmp", 1.0),  # noqa: S108 -- a path of the node
    "storage": ("/var/lib/containers", 1.2),
}


@dataclass(frozen=True, slots=True)
class Image:
    """A local image: name, id (`sha256:…`), size in bytes, and its layers' digests.

    `made_by` has a line of the history for each layer, or is empty when there is none; `sizes` has
    the layers whose size is known, `folders` the folder of each layer in podman's storage.
    `platforms` are those that the name has an image for, as `linux/amd64`; this one's is the first.
    """

    name: str
    id: str
    size: int
    layers: tuple[str, ...] = ()
    made_by: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(frozen=True, slots=True)
class SaveCommand:
    """The command that writes a whole image, and the format of its output as skopeo names it.

    `ref` selects the image in the output, in skopeo's notation.
    """

    command: tuple[str, ...]
    form: Literal["docker-archive", "oci-archive"]
    ref: str = ""


def missing(image: Image, state: NodeState) -> tuple[str, ...]:
    """List the layers of an image that are in no image on the node."""
    held = {diff_id for layers in state.layers.values() for diff_id in layers}
    return tuple(dict.fromkeys(one for one in image.layers if one not in held))


def missing_bytes(image: Image, state: NodeState) -> int:
    """Add up the sizes of the missing layers; an upper bound when a size is unknown."""
    if not image.layers:
        return image.size
    lacking = missing(image, state)
    if all(one in image.sizes for one in lacking):
        return sum(image.sizes[one] for one in lacking)
    there = sum(image.sizes.get(one, 0) for one in set(image.layers) - set(lacking))
    return max(image.size - there, 0)


def refuse_platform(image: Image, state: NodeState) -> None:
    """Check that the image is built for the node's platform.

    Raises:
        DeployError: when it is for others, naming all of them.
    """
    if image.platforms and state.platform != image.platforms[0]:
        raise DeployError(
            f"the image {image.name} is for {', '.join(sorted(image.platforms))}, and the node is "
            f"{state.platform}",
            f"build it for the node: `podman build --platform {state.platform} …`",
        )


def refuse_full_disk(image: Image, state: NodeState) -> None:
    """Check that the node has disk space for the missing layers.

    What an interrupted transfer left of them counts as received.

    Raises:
        DeployError: when space is short, with the places and amounts.
    """
    if image.id in state.images:
        return
    held = state.partial.get(image.id)
    arrived = sum(held.layers.get(one, 0) for one in missing(image, state)) if held else 0
    count = missing_bytes(image, state)
    if problems := "; ".join(_shortages(count, min(arrived, count), state)):
        raise DeployError(
            f"not enough disk space on the node for {image.name} ({size(count)} to send): "
            f"{problems}",
            "run `fab prune` to remove images that no release needs; "
            "`podman image ls` on the node lists the rest",
        )


def _shortages(count: int, arrived: int, state: NodeState) -> Iterator[str]:
    by_device: dict[int, list[str]] = {}
    for place in _PLACES:
        by_device.setdefault(state.disks[place].device, []).append(place)
    for places in by_device.values():
        needs = int(count * sum(_PLACES[place][1] for place in places)) + _MARGIN_BYTES
        needs -= arrived if "incoming" in places else 0
        free = state.disks[places[0]].free
        if free < needs:
            named = ", ".join(_PLACES[place][0] for place in places)
            yield (
                f"{named}: {size(free)} free, {size(needs)} needed, {size(needs - free)} missing"
            )


def short(image_id: str) -> str:
    """Shorten an image id for display."""
    return image_id.removeprefix("sha256:")[:12]
