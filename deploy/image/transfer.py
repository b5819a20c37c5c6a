"""Getting an image to a node: only what it lacks, or, where that fails, all of it."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.image import act
from deploy.image.export.export import Export
from deploy.image.measured import Measured
from deploy.image.plan.bases import Known, Shipment, ship, uncertain
from deploy.image.plan.image import Image, refuse_full_disk
from deploy.image.stream import Parcel, Sent
from deploy.image.wire.level import Pace
from deploy.image.wire.whole import send_whole
from deploy.node.remote import Remote
from deploy.node.state import NodeState, Partial
from deploy.node.target import Target
from deploy.settings.model import Settings

# Exit code of receive-image for what the node lacks, or cannot write out.
_LACKS = 3
# For what was damaged on the way.
_DAMAGED = 5
# And for a disk that others have filled since it was looked at.
_FULL = 6
# Our own code for what cannot be read on this side.
_HERE = 0
# What receive-image says of a base: bytes, and microseconds to write them out.
_WROTE = re.compile(r"^wrote ([0-9]{1,15}) ([0-9]{1,15})$", re.MULTILINE)
_ENOUGH_BYTES = 10_000_000


class LaneError(DeployError):
    """A way to send an image did not lead there; nothing on the node refers to it."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True)
class Transfer:
    """One image for one node, where it is named `localhost/<app>:sent` once it is proven.

    `where` names the node in the progress, when there are several; `events` makes that JSON.
    """

    remote: Remote
    target: Target
    settings: Settings
    export: Export
    where: str = ""
    events: bool = False

    def run(self, state: NodeState, again: Callable[[], NodeState]) -> None:
        """Send the image by the best way that works; `again` asks the node for its state again.

        Raises:
            DeployError: when not even the whole image can be sent.
        """
        if self.image.id in state.images:
            return
        try:
            self._exact(state)
        except LaneError as error:
            output.warn(f"{error.message}; asking the node again")
            self._second(state, again, error)

    def _second(self, before: NodeState, again: Callable[[], NodeState], first: LaneError) -> None:
        """Try again from what the node holds now: what arrived sound is not sent again."""
        if first.code in {_DAMAGED, _HERE}:
            self.export.distrust()
        state = again()
        if self.image.id in state.images:
            return
        if first.code == _FULL:
            refuse_full_disk(self.image, state)
        # Where it lacks what it says it has, it could not give a base out either.
        same = first.code == _LACKS and state.layers == before.layers
        patches = first.code != _DAMAGED and not same
        try:
            self._exact(state, patches=patches, resume=first.code != _HERE)
        except LaneError as error:
            output.warn(f"{error.message}; sending the whole image")
            self._whole()

    def _exact(self, state: NodeState, *, patches: bool = True, resume: bool = True) -> None:
        """Send missing layers, and changed ones as patches; the node proves the image's id."""
        shipment = self.shipment(state)
        if not patches:
            shipment = shipment.without_bases()
        held = state.partial.get(self.image.id)
        already = held if held and resume else Partial()
        total = sum(self.image.sizes.get(one, 0) for one in shipment.missing) or self.image.size
        name, where = f"image {self.image.name}", self.where
        with progress.transfer(name, total, where=where, events=self.events) as tell:
            pace = self._pace()
            parcel = Parcel(shipment, self.export, _teller(tell), already, pace)
            wanted = act.receive_image(self.settings.app, self.image.id)
            result = self.remote.send(wanted, _own_errors(parcel.parts()))
        self._keep(pace, result.stdout)
        if result.code:
            said = result.stderr.strip().splitlines()
            raise LaneError(result.code, said[-1] if said else f"exit code {result.code}")
        self.export.cache.trim(frozenset(self.image.layers))

    def shipment(self, state: NodeState) -> Shipment:
        """Decide which layers travel, and which of them as differences."""
        cache = self.export.cache
        known = cache.known()
        here = {diff_id for diff_id in known if cache.holds(diff_id)}
        made_by = {diff_id: layer.made_by for diff_id, layer in known.items()}
        unsure = uncertain(self.image, state, Known(here, made_by))
        files = self.export.listings(unsure)
        shipment = ship(self.image, state, Known(here, made_by, files))
        sizes = {diff_id: layer.size for diff_id, layer in known.items()}
        return shipment.with_quick_bases(self._pace().rates, sizes | dict(self.image.sizes))

    def _pace(self) -> Pace:
        return Pace(self._measured.rates(), self.remote.round_trip)

    def _keep(self, pace: Pace, said: str) -> None:
        """Keep what was measured for the next transfer; of the node's word, the plausible."""
        rates = pace.rates
        if not pace.knows_link:
            rates = replace(rates, link=pace.known.link)
        if (wrote := _WROTE.search(said)) and int(wrote[1]) > _ENOUGH_BYTES:
            rates = replace(rates, write_out=int(wrote[1]) * 1e6 / max(1, int(wrote[2])))
        self._measured.keep(rates)

    @property
    def _measured(self) -> Measured:
        return Measured(self.export.cache, f"{self.target.host}:{self.target.port or 22}")

    def _whole(self) -> None:
        with progress.progress(f"image {self.image.name}", self.image.size) as advance:
            whole = self.export.source.whole()
            send_whole(self.target, self.settings.app, self.image, whole, advance)

    @property
    def image(self) -> Image:
        """The image, with the bytes of the layers that are known."""
        return self.export.image


def _own_errors(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Tell what goes wrong here from a lost connection: here the next way may still work."""
    try:
        yield from parts
    except (DeployError, OSError) as error:
        raise LaneError(_HERE, f"the image cannot be read as layers: {error}") from error


def _teller(tell: Callable[[str, int, int], None]) -> Callable[[Sent], None]:
    return lambda sent: tell(sent.layer, sent.wire, sent.covered)
