"""Deciding how an image travels: which layers, and which layer of the node each looks like."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from deploy.image.plan.image import Image, missing
from deploy.image.plan.sending import Rates, patch_is_quicker
from deploy.node.state import NodeState

# The likeness of a layer made by the same line at the same position.
_CERTAIN = 6000


@dataclass(frozen=True, slots=True)
class Base:
    """A layer that the node can write out again, and an image there that holds it."""

    diff_id: str
    image_id: str


@dataclass(frozen=True, slots=True)
class Shipment:
    """The layers of an image that a node lacks, in order; a layer with a base may be patched."""

    image: Image
    missing: tuple[str, ...]
    bases: Mapping[str, Base] = field(default_factory=dict)
    rest: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def with_quick_bases(self, rates: Rates, sizes: Mapping[str, int]) -> "Shipment":
        """Patch only those layers that arrive sooner so; one of unknown size is patched."""
        bases = {
            diff_id: base
            for diff_id, base in self.bases.items()
            if diff_id not in sizes
            or patch_is_quicker(rates, sizes[diff_id], sizes.get(base.diff_id, 0))
        }
        rest = {base.image_id: self.rest[base.image_id] for base in bases.values()}
        return replace(self, bases=bases, rest=rest)

    def without_bases(self) -> "Shipment":
        """Send each layer for itself."""
        return Shipment(self.image, self.missing)


@dataclass(frozen=True, slots=True)
class Known:
    """What this side knows of layers: which are `here`, and the line of a history that made each.

    `files` tells what some hold: a short name for each file, and its bytes.
    """

    here: Collection[str]
    made_by: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


def ship(image: Image, state: NodeState, known: Known) -> Shipment:
    """Decide what to send; a base has to be here as well, to be compared with.

    Best is the layer that shares most files, where that is known. Then it is one made by the same
    line of the history at the same position, and then one at the same position counted from either
    end.
    """
    lacking = missing(image, state)
    bases = {}
    for diff_id in lacking:
        (shared, score), base, image_id = _nearest(image, diff_id, state, known)
        if shared or score:
            bases[diff_id] = Base(base, image_id)
    rest = {base.image_id: state.layers[base.image_id] for base in bases.values()}
    return Shipment(image, lacking, bases, rest)


def uncertain(image: Image, state: NodeState, known: Known) -> tuple[str, ...]:
    """List the layers whose files should be known before the bases are chosen.

    They are those missing layers for which none was made by the same line at the same position,
    and what the node could compare them with.
    """
    unsure = [
        diff_id
        for diff_id in missing(image, state)
        if _nearest(image, diff_id, state, known)[0][1] < _CERTAIN
    ]
    there = {one for layers in state.layers.values() for one in layers if one in known.here}
    return (*unsure, *sorted(there)) if unsure and there else ()


def _nearest(
    image: Image, diff_id: str, state: NodeState, known: Known
) -> tuple[tuple[int, int], str, str]:
    spot = _spot(image.layers, diff_id, image.made_by)
    return max(
        (
            (
                (
                    _shared(known.files.get(diff_id, {}), known.files.get(one, {})),
                    _likeness(spot, _spot(layers, one, (), known.made_by)),
                ),
                one,
                image_id,
            )
            for image_id, layers in state.layers.items()
            for one in layers
            if one in known.here
        ),
        default=((0, 0), "", ""),
    )


def _shared(files: Mapping[str, int], others: Mapping[str, int]) -> int:
    """Count the bytes of files that two layers share, in hundredths of the first."""
    shared = sum(size for name, size in files.items() if name in others)
    return 100 * shared // sum(files.values()) if shared else 0


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where a layer is in its image: what lies below, how many lie above, what made it."""

    below: tuple[str, ...]
    above: int
    made_by: str


def _spot(
    layers: tuple[str, ...],
    diff_id: str,
    lines: tuple[str, ...],
    known: Mapping[str, str] | None = None,
) -> _Spot:
    at = layers.index(diff_id)
    text = lines[at] if lines else (known or {}).get(diff_id, "")
    return _Spot(layers[:at], len(layers) - at - 1, text)


def _likeness(one: _Spot, other: _Spot) -> int:
    same_line = bool(one.made_by) and one.made_by == other.made_by
    same_position = len(one.below) == len(other.below)
    found = 4 * same_line + 2 * same_position + (one.above == other.above)
    # Of equals, the one that stands on more of the same layers.
    return found * 1000 + min(len(set(one.below) & set(other.below)), 999) if found else 0
