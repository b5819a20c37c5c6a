"""Reading layers out of podman's storage into the cache, one after another, beside the rest."""

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from deploy.image.layers.cache import Cache
from deploy.image.layers.partial_layer import Arriving
from deploy.image.layers.similarity import listing_of
from deploy.image.store.podman_storage import UNEXPECTED, Kept


class Reader:
    """Layers on their way into the cache, whose first bytes can be had before their last."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._thread = ThreadPoolExecutor(1)
        self._layers: dict[str, Arriving] = {}
        self._reads: dict[str, Future[None]] = {}
        self._begun: list[Arriving] = []

    def close(self) -> None:
        """Stop what is being read, and let go of the files."""
        for one in self._begun:
            one.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)
        for one in self._begun:
            one.close()

    def start(self, diff_id: str, size: int, kept: Kept) -> None:
        """Read a layer after those that were started before, unless that has begun."""
        if diff_id in self._layers:
            return
        layer = Arriving(diff_id, size)
        self._layers[diff_id] = layer
        self._begun.append(layer)
        self._reads[diff_id] = self._thread.submit(self._read, layer, kept)

    def find(self, diff_id: str) -> Arriving | None:
        """Find a layer that is being read, or was."""
        return self._layers.get(diff_id)

    def wait(self, diff_ids: Collection[str]) -> None:
        """Wait until those of these layers that are being read are in the cache, or failed."""
        wait([self._reads[one] for one in diff_ids if one in self._reads])

    def stop_all_but(self, wanted: Collection[str]) -> bool:
        """Stop reading what is not wanted after all; tell whether anything was stopped."""
        stopped = [
            diff_id
            for diff_id, layer in self._layers.items()
            if diff_id not in wanted and not layer.whole
        ]
        for diff_id in stopped:
            self._layers.pop(diff_id).stop()
        return bool(stopped)

    def _read(self, layer: Arriving, kept: Kept) -> None:
        files: list[tuple[str, int]] = []
        try:
            with self._cache.workplace() as place:
                layer.write(kept.chunks(files.append), place / "layer")
                self._cache.take(layer.diff_id, place / "layer")
        except UNEXPECTED as error:
            layer.fail(error)
            return
        with suppress(*UNEXPECTED):
            self._cache.note_listing(layer.diff_id, listing_of(files))
