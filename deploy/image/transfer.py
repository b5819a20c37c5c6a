"""Transfer an image to a node: its missing layers, or the whole image when that fails."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.image import act
from deploy.image.export.export import Export
from deploy.image.plan.bases import KnownLayers, TransferPlan, plan_transfer, unclear_layers
from deploy.image.plan.image import Image, refuse_full_disk
from deploy.image.rate_store import RateStore
from deploy.image.stream import ImageStream
from deploy.image.wire.rate_meter import RateMeter
from deploy.image.wire.whole import REFUSED, REFUSED_HINT, send_whole
from deploy.node.remote import Remote
from deploy.node.state import NodeState, Partial
from deploy.node.target import Target
from deploy.settings.model import Settings

# Exit codes of receive-image: the node lacks a layer, or cannot export it.
_LACKS = 3
# Data arrived damaged.
_DAMAGED = 5
# The disk has filled up since it was checked.
_FULL = 6
# Not an exit code: the image cannot be read on this side.
_LOCAL = 0
# receive-image reports a base: bytes, and the microseconds it took to export them.
_WROTE = re.compile(r"^wrote ([0-9]{1,15}) ([0-9]{1,15})$", re.MULTILINE)
_ENOUGH_BYTES = 10_000_000


class TransferError(DeployError):
    """A transfer failed; the node has not tagged anything."""

    def __init__(self, code: int, said: str) -> None:
        super().__init__(said)
        self.code = code


@dataclass(frozen=True, slots=True)
class Transfer:
    """Transfer one image to one node, which tags it `localhost/<app>:sent` once verified.

    `where` names the node in the progress display; `events` prints progress as JSON.
    """

    remote: Remote
    target: Target
    settings: Settings
    export: Export
    where: str = ""
    events: bool = False

    def run(self, state: NodeState, again: Callable[[], NodeState]) -> None:
        """Send the missing layers; on failure retry, then send the whole image.

        `again` probes the node's state once more.

        Raises:
            DeployError: when the whole image cannot be sent either.
        """
        if self.image.id in state.images:
            return
        try:
            self._send_layers(state)
        except TransferError as error:
            _refuse_refused(error)
            output.warn(f"{error.message}; trying again")
            self._retry(state, again, error)

    def _retry(
        self, before: NodeState, again: Callable[[], NodeState], first: TransferError
    ) -> None:
        """Try again from the node's new state; layers that arrived intact are not sent again."""
        if first.code in {_DAMAGED, _LOCAL}:
            self.export.discard_layers()
        state = again()
        if self.image.id in state.images:
            return
        if first.code == _FULL:
            refuse_full_disk(self.image, state)
        # A node that cannot read its own layers cannot export a base either.
        same = first.code == _LACKS and state.layers == before.layers
        patches = first.code != _DAMAGED and not same
        try:
            self._send_layers(state, patches=patches, resume=first.code != _LOCAL)
        except TransferError as error:
            _refuse_refused(error)
            output.warn(f"{error.message}; sending the whole image")
            self._send_whole()

    def _send_layers(self, state: NodeState, *, patches: bool = True, resume: bool = True) -> None:
        """Send the missing layers, as patches where that is quicker; the node verifies the id."""
        plan = self.plan(state)
        if not patches:
            plan = replace(plan, bases={})
        left = state.partial.get(self.image.id)
        partial = left if left and resume else Partial()
        total = sum(self.image.sizes.get(one, 0) for one in plan.missing) or self.image.size
        name, where = f"image {self.image.name}", self.where
        with progress.transfer(name, total, where=where, events=self.events) as report:
            meter = self._meter()
            stream = ImageStream(plan, self.export, report, partial, meter)
            command = act.receive_image(self.settings.app, self.image.id)
            result = self.remote.send(command, _local_errors(stream.parts()))
        self._store_rates(meter, result.stdout)
        if result.code:
            raise TransferError(result.code, result.error_text.splitlines()[-1])
        self.export.cache.trim(frozenset(self.image.layers))

    def plan(self, state: NodeState) -> TransferPlan:
        """Decide which layers to send, and which of them as patches."""
        cache = self.export.cache
        known = cache.known_layers()
        here = {diff_id for diff_id in known if cache.has(diff_id)}
        made_by = {diff_id: layer.made_by for diff_id, layer in known.items()}
        unclear = unclear_layers(self.image, state, KnownLayers(here, made_by))
        files = self.export.fingerprints(unclear)
        plan = plan_transfer(self.image, state, KnownLayers(here, made_by, files))
        sizes = {diff_id: layer.size for diff_id, layer in known.items()}
        return plan.with_quick_bases(self._meter().rates, sizes | dict(self.image.sizes))

    def _meter(self) -> RateMeter:
        return RateMeter(self._rate_store.load(), self.remote.round_trip)

    def _store_rates(self, meter: RateMeter, answer: str) -> None:
        """Store measured rates for the next transfer; ignore implausible ones from the node."""
        rates = meter.rates
        if not meter.knows_link:
            rates = replace(rates, link=meter.known.link)
        if (wrote := _WROTE.search(answer)) and int(wrote[1]) > _ENOUGH_BYTES:
            rates = replace(rates, write_out=int(wrote[1]) * 1e6 / max(1, int(wrote[2])))
        self._rate_store.store(rates)

    @property
    def _rate_store(self) -> RateStore:
        return RateStore(self.export.cache, f"{self.target.host}:{self.target.port or 22}")

    def _send_whole(self) -> None:
        with progress.progress(f"image {self.image.name}", self.image.size) as advance:
            whole = self.export.source.save_command()
            send_whole(self.remote, self.settings.app, self.image, whole, advance)

    @property
    def image(self) -> Image:
        """The image, with the sizes of the layers that are known."""
        return self.export.image


def _refuse_refused(error: TransferError) -> None:
    """Stop where podman refuses a layer that arrived intact: it would refuse it again."""
    if error.code == REFUSED:
        raise DeployError(error.message, REFUSED_HINT) from error


def _local_errors(parts: Iterator[bytes]) -> Iterator[bytes]:
    """Convert local read errors to TransferError: unlike a lost connection, a retry may help."""
    try:
        yield from parts
    except (DeployError, OSError) as error:
        raise TransferError(_LOCAL, f"the image cannot be read as layers: {error}") from error
