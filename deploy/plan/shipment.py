"""Deciding how an image travels: which layers, and which layer of the node each looks like."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from deploy.plan.image import Image, missing
from deploy.plan.state import NodeState


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

    def without_bases(self) -> "Shipment":
        """Send each layer for itself."""
        return Shipment(self.image, self.missing)


def ship(
    image: Image, state: NodeState, *, here: Collection[str], made_by: Mapping[str, str]
) -> Shipment:
    """Decide what to send; a base has to be `here` as well, to be compared with.

    Best is a layer made by the same line of the history at the same position, then one at the same
    position counted from either end. `made_by` tells of layers that were exported before.
    """
    lacking = missing(image, state)
    bases = {}
    for diff_id in lacking:
        spot = _spot(image.layers, diff_id, image.made_by)
        score, base, image_id = max(
            (
                (_likeness(spot, _spot(layers, one, (), made_by)), one, image_id)
                for image_id, layers in state.layers.items()
                for one in layers
                if one in here
            ),
            default=(0, "", ""),
        )
        if score:
            bases[diff_id] = Base(base, image_id)
    rest = {base.image_id: state.layers[base.image_id] for base in bases.values()}
    return Shipment(image, lacking, bases, rest)


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
