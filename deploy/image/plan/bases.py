"""Decide which layers to send, and which layer of the node each is patched against."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from deploy.image.plan.image import Image, missing
from deploy.image.plan.sending import Rates, patch_is_quicker
from deploy.node.state import NodeState

# The score of a layer made by the same line of the history at the same position.
_CERTAIN = 6000


@dataclass(frozen=True, slots=True)
class Base:
    """A layer that the node can export, and an image there that contains it."""

    diff_id: str
    image_id: str


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """The layers to send, in order, and the bases to patch some of them against.

    `base_images` has the layers of each image of the node that a base is in.
    """

    image: Image
    missing: tuple[str, ...]
    bases: Mapping[str, Base] = field(default_factory=dict)
    base_images: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def with_quick_bases(self, rates: Rates, sizes: Mapping[str, int]) -> "TransferPlan":
        """Patch a layer only where that is quicker, or where its size is unknown."""
        bases = {
            diff_id: base
            for diff_id, base in self.bases.items()
            if diff_id not in sizes
            or patch_is_quicker(rates, sizes[diff_id], sizes.get(base.diff_id, 0))
        }
        base_images = {base.image_id: self.base_images[base.image_id] for base in bases.values()}
        return replace(self, bases=bases, base_images=base_images)

    def without_bases(self) -> "TransferPlan":
        """Return the same plan without patches."""
        return TransferPlan(self.image, self.missing)


@dataclass(frozen=True, slots=True)
class KnownLayers:
    """Layers known on this side: which are cached, and the line of the history that made each.

    `files` has the fingerprints of some: a short hash for each file, and its size.
    """

    cached: Collection[str]
    made_by: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def plan_transfer(image: Image, state: NodeState, known: KnownLayers) -> TransferPlan:
    """Choose the layers to send and their bases; a base must be cached cached as well.

    The best base is the layer that shares most bytes of files, if fingerprints are known; then one
    made by the same line of the history at the same position; then one at the same position,
    counted from either end.
    """
    to_send = missing(image, state)
    bases = {}
    for diff_id in to_send:
        (shared, score), base, image_id = _best_base(image, diff_id, state, known)
        if shared or score:
            bases[diff_id] = Base(base, image_id)
    base_images = {base.image_id: state.layers[base.image_id] for base in bases.values()}
    return TransferPlan(image, to_send, bases, base_images)


def unclear_layers(image: Image, state: NodeState, known: KnownLayers) -> tuple[str, ...]:
    """List the layers whose fingerprints are needed to choose the bases.

    These are the missing layers without a base made by the same line at the same position, and all
    candidates for their bases.
    """
    unclear = [
        diff_id
        for diff_id in missing(image, state)
        if _best_base(image, diff_id, state, known)[0][1] < _CERTAIN
    ]
    there = {one for layers in state.layers.values() for one in layers if one in known.cached}
    return (*unclear, *sorted(there)) if unclear and there else ()


def _best_base(
    image: Image, diff_id: str, state: NodeState, known: KnownLayers
) -> tuple[tuple[int, int], str, str]:
    position = _position(image.layers, diff_id, image.made_by)
    return max(
        (
            (
                (
                    _shared(known.files.get(diff_id, {}), known.files.get(one, {})),
                    _score(position, _position(layers, one, (), known.made_by)),
                ),
                one,
                image_id,
            )
            for image_id, layers in state.layers.items()
            for one in layers
            if one in known.cached
        ),
        default=((0, 0), "", ""),
    )


def _shared(files: Mapping[str, int], others: Mapping[str, int]) -> int:
    """Return the percentage of the first layer's bytes that are in files of both."""
    shared = sum(size for name, size in files.items() if name in others)
    return 100 * shared // sum(files.values()) if shared else 0


@dataclass(frozen=True, slots=True)
class _Position:
    """Position of a layer: layers below, number of layers above, line of the history."""

    below: tuple[str, ...]
    above: int
    made_by: str


def _position(
    layers: tuple[str, ...],
    diff_id: str,
    lines: tuple[str, ...],
    known: Mapping[str, str] | None = None,
) -> _Position:
    at = layers.index(diff_id)
    text = lines[at] if lines else (known or {}).get(diff_id, "")
    return _Position(layers[:at], len(layers) - at - 1, text)


def _score(one: _Position, other: _Position) -> int:
    same_line = bool(one.made_by) and one.made_by == other.made_by
    same_position = len(one.below) == len(other.below)
    found = 4 * same_line + 2 * same_position + (one.above == other.above)
    # Of equal scores, prefer the one with more layers in common below it.
    return found * 1000 + min(len(set(one.below) & set(other.below)), 999) if found else 0
