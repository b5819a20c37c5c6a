"""An image of the workstation, what a node lacks of it, and the room that takes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from deploy.errors import DeployError
from deploy.node.state import NodeState

_MARGIN_BYTES = 200_000_000
# How often the missing layers lie in each place at the worst moment: as they arrived, as skopeo
# copies them before it unpacks, and unpacked, which small files make larger.
_SHARES = {"incoming": 1.0, "scratch": 1.0, "storage": 1.2}
_PLACES = {
    "incoming": "/var/lib/corefab",
    "scratch": "/var/tmp",  # noqa: S108 -- a path of the node
    "storage": "/var/lib/containers",
}


@dataclass(frozen=True, slots=True)
class Image:
    """An image of the workstation: name, id (`sha256:…`), size in bytes; its layers' digests.

    `made_by` is the line of the image's history for each layer, or empty where it does not say;
    `sizes` tells of the layers whose bytes are known, `folders` where podman keeps each.
    """

    name: str
    id: str
    size: int
    layers: tuple[str, ...] = ()
    made_by: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole image as a program writes it: the program's words, and how skopeo calls the form.

    `ref` chooses the image in it, as skopeo writes that.
    """

    words: tuple[str, ...]
    form: Literal["docker-archive", "oci-archive"]
    ref: str = ""


def missing(image: Image, state: NodeState) -> tuple[str, ...]:
    """List the layers of an image that no image of the node holds."""
    held = {diff_id for layers in state.layers.values() for diff_id in layers}
    return tuple(dict.fromkeys(one for one in image.layers if one not in held))


def missing_bytes(image: Image, state: NodeState) -> int:
    """Count the bytes of the missing layers; at the most, where not each size is known."""
    if not image.layers:
        return image.size
    lacking = missing(image, state)
    if all(one in image.sizes for one in lacking):
        return sum(image.sizes[one] for one in lacking)
    there = sum(image.sizes.get(one, 0) for one in set(image.layers) - set(lacking))
    return max(image.size - there, 0)


def refuse_full_disk(image: Image, state: NodeState) -> None:
    """Check that the missing layers find room on the node, beside what a cut transfer left of them.

    Raises:
        DeployError: saying where room is short, and by how much.
    """
    if image.id in state.images:
        return
    held = state.partial.get(image.id)
    arrived = sum(held.layers.get(one, 0) for one in missing(image, state)) if held else 0
    count = missing_bytes(image, state)
    problems = tuple(_shortages(count, min(arrived, count), state))
    if problems:
        raise DeployError(
            f"no room on the node for what it lacks of {image.name} ({megabytes(count)}): "
            + "; ".join(problems),
            "`fab prune` removes images that no release needs; "
            "`podman image ls` on the node shows the rest",
        )


def _shortages(count: int, arrived: int, state: NodeState) -> Iterator[str]:
    by_device: dict[int, list[str]] = {}
    for place in _SHARES:
        by_device.setdefault(state.disks[place].device, []).append(place)
    for places in by_device.values():
        needs = int(count * sum(_SHARES[place] for place in places)) + _MARGIN_BYTES
        needs -= arrived if "incoming" in places else 0
        free = state.disks[places[0]].free
        if free < needs:
            named = ", ".join(_PLACES[place] for place in places)
            yield (
                f"{named}: {megabytes(free)} free, {megabytes(needs)} needed, "
                f"{megabytes(needs - free)} missing"
            )


def short(image_id: str) -> str:
    """Shorten an image id for people."""
    return image_id.removeprefix("sha256:")[:12]


def megabytes(count: int) -> str:
    """Write bytes for people."""
    return f"{count / 1e6:.0f} MB"
