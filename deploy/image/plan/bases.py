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
    """A layer that the node can export, and an image there that contains it, with its layers."""

    diff_id: str
    image_id: str
    image_layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """The layers to send, in order, and the bases to patch some of them against."""

    image: Image
    missing: tuple[str, ...]
    bases: Mapping[str, Base] = field(default_factory=dict)

    def with_quick_bases(self, rates: Rates, sizes: Mapping[str, int]) -> "TransferPlan":
        """Patch a layer only where that is quicker, or where its size is unknown."""
        bases = {
            diff_id: base
            for diff_id, base in self.bases.items()
            if diff_id not in sizes
            or patch_is_quicker(rates, sizes[diff_id], sizes.get(base.diff_id, 0))
        }
        return replace(self, bases=bases)


@dataclass(frozen=True, slots=True)
class KnownLayers:
    """Layers known on this side: which are cached, and the line of the history that made each.

    `files` has the fingerprints of some: a short hash for each file, and its size.
    """

    cached: Collection[str]
    made_by: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def plan_transfer(image: Image, state: NodeState, known: KnownLayers) -> TransferPlan:
    """Choose the layers to send and their bases; a base must be cached as well.

    The best base is the layer that shares most bytes of files, if fingerprints are known; then one
    made by the same line of the history at the same position; then one at the same position,
    counted from either end.
    """
    to_send = missing(image, state)
    bases = {}
    for diff_id in to_send:
        (shared, score), base, image_id = _best_base(image, diff_id, state, known)
        if shared or score:
            bases[diff_id] = Base(base, image_id, state.layers[image_id])
    return TransferPlan(image, to_send, bases)


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
    return max(
        (
            (
                (
                    _shared(known.files.get(diff_id, {}), known.files.get(one, {})),
                    _score(image, diff_id, layers, one, known.made_by.get(one, "")),
                ),
                one,
                image_id,
            )
            for image_id, layers in state.layers.items()
            for one in dict.fromkeys(layers)
            if one in known.cached
        ),
        default=((0, 0), "", ""),
    )


def _shared(files: Mapping[str, int], others: Mapping[str, int]) -> int:
    """Return the percentage of the first layer's bytes that are in files of both."""
    shared = sum(size for name, size in files.items() if name in others)
    return 100 * shared // sum(files.values()) if shared else 0


def _score(
    image: Image, diff_id: str, layers: tuple[str, ...], candidate: str, made_by: str
) -> int:
    """Compare the positions of two layers in their images, and the lines that made them."""
    at, there = image.layers.index(diff_id), layers.index(candidate)
    same_line = bool(made_by and image.made_by) and image.made_by[at] == made_by
    same_above = len(image.layers) - at == len(layers) - there
    found = 4 * same_line + 2 * (at == there) + same_above
    # Of equal scores, prefer the one with more layers in common below it.
    below = set(image.layers[:at]) & set(layers[:there])
    return found * 1000 + min(len(below), 999) if found else 0
