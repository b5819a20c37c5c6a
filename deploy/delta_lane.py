"""The second mode's way to send an image: one layer of changed files on top of an anchor."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from deploy import progress
from deploy.errors import DeployError
from deploy.image.composite import Ready, image_of
from deploy.image.delta_build import Anchor, Delta, TooLargeError, Workshop, listed
from deploy.image.delta_pieces import ByFile
from deploy.image.pace import Pace
from deploy.image.parcel import Held, Parcel, Sent
from deploy.image.pieces import cut
from deploy.plan import command
from deploy.plan.image import refuse_without_room
from deploy.plan.shipment import Base, Shipment
from deploy.plan.state import NodeState
from deploy.remote.remote import Remote

_ANCHOR = "anchor"


class NoDeltaError(DeployError):
    """The image did not travel as a delta; nothing on the node refers to one.

    `expected` tells of what belongs to this mode: the first image, and one that changed too much.
    """

    def __init__(self, message: str, *, expected: bool = False) -> None:
        super().__init__(message)
        self.expected = expected


@dataclass(frozen=True, slots=True)
class DeltaLane:
    """One image for one node, as a delta; `where` names the node where there are several."""

    remote: Remote
    app: str
    workshop: Workshop
    where: str = ""
    events: bool = False

    def send(self, state: NodeState) -> str:
        """Send what changed since the anchor; give the id of the image that stands there now.

        Raises:
            NoDeltaError: when there is no anchor, too much changed, or it did not arrive.
            DeployError: when the connection is lost.
        """
        anchor = _anchor(state)
        delta = self._built(anchor, state)
        made = delta.content
        if anchor.image_id != state.tags.get(_ANCHOR):
            self.anchor(anchor.image_id)
        if made.id not in state.images:
            self._send(delta, anchor, state)
        self.workshop.cache.trim(frozenset(self.workshop.image.layers))
        return made.id

    def anchor(self, image_id: str) -> None:
        """Make an image that is on the node the anchor of deltas to come.

        Raises:
            NoDeltaError: when the node refuses.
        """
        result = self.remote.run(command.anchor_image(self.app, image_id))
        if result.code:
            raise NoDeltaError(f"the node cannot keep an anchor: {result.stderr.strip()}")

    def _built(self, anchor: Anchor, state: NodeState) -> Delta:
        try:
            delta = self.workshop.build(anchor)
            refuse_without_room(self.workshop.image.name, delta.size, state)
        except TooLargeError as error:
            raise NoDeltaError(error.message, expected=True) from error
        except (DeployError, OSError) as error:
            raise NoDeltaError(f"no delta can be made: {error}") from error
        return delta

    def _send(self, delta: Delta, anchor: Anchor, state: NodeState) -> None:
        made = delta.content
        held = state.partial.get(made.id)
        name = f"delta of image {self.workshop.image.name}"
        with progress.transfer(name, delta.size, where=self.where, events=self.events) as tell:
            parcel = Parcel(
                _shipment(delta, anchor, self.workshop.image.name),
                Ready(made, self.workshop.export),
                _teller(tell),
                Held(**held.model_dump()) if held else Held(),
                Pace(round_trip=self.remote.round_trip),
                cutter=ByFile(delta.marks) if delta.like else cut,
                prelude=listed(delta, anchor),
            )
            result = self.remote.send(
                command.receive_image(self.app, made.id), _own_errors(parcel.parts())
            )
        if result.code:
            said = result.stderr.strip().splitlines()
            raise NoDeltaError(said[-1] if said else f"exit code {result.code}")


def _anchor(state: NodeState) -> Anchor:
    """Find the image to put a delta on: never one that has a delta itself.

    Where there is none yet, the image that serves may become it.
    """
    serving = state.manifest.image_id if state.manifest else ""
    for image_id in (state.tags.get(_ANCHOR, ""), serving):
        if image_id in state.layers and image_id not in state.built:
            return Anchor(image_id, state.layers[image_id])
    raise NoDeltaError("the node has no anchor yet", expected=True)


def _shipment(delta: Delta, anchor: Anchor, name: str) -> Shipment:
    bases = {delta.diff_id: Base(delta.like, anchor.image_id)} if delta.like else {}
    return Shipment(image_of(delta.content, name), (delta.diff_id,), bases)


def _own_errors(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Tell what goes wrong here from a lost connection: here the next way may still work."""
    try:
        yield from parts
    except (DeployError, OSError) as error:
        raise NoDeltaError(f"the delta cannot be read: {error}") from error


def _teller(tell: Callable[[str, int, int], None]) -> Callable[[Sent], None]:
    return lambda sent: tell(sent.layer, sent.wire, sent.covered)
