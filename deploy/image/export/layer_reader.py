"""Read layers from podman's storage into the cache, one after another, on a background thread."""

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from deploy.image.layers.cache import Cache
from deploy.image.layers.partial_layer import PartialLayer
from deploy.image.layers.similarity import fingerprint_of
from deploy.image.store.podman_storage import UNEXPECTED, StoredLayer


class LayerReader:
    """Layers being read into the cache; their bytes are available as soon as they are read."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._thread = ThreadPoolExecutor(1)
        self._layers: dict[str, PartialLayer] = {}
        self._reads: dict[str, Future[None]] = {}
        self._opened: list[PartialLayer] = []

    def close(self) -> None:
        """Stop reading and close all files."""
        for one in self._opened:
            one.stop()
        self._thread.shutdown(wait=True, cancel_futures=True)
        for one in self._opened:
            one.close()

    def start(self, diff_id: str, size: int, stored: StoredLayer) -> None:
        """Queue a layer for reading, unless it is queued already."""
        if diff_id in self._layers:
            return
        layer = PartialLayer(diff_id, size)
        self._layers[diff_id] = layer
        self._opened.append(layer)
        self._reads[diff_id] = self._thread.submit(self._read, layer, stored)

    def find(self, diff_id: str) -> PartialLayer | None:
        """Return a layer that was queued, or None."""
        return self._layers.get(diff_id)

    def wait(self, diff_ids: Collection[str]) -> None:
        """Wait until the queued ones of these layers are cached or have failed."""
        wait([self._reads[one] for one in diff_ids if one in self._reads])

    def stop_except(self, wanted: Collection[str]) -> bool:
        """Stop reading all other layers; return whether any was stopped."""
        stopped = [
            diff_id
            for diff_id, layer in self._layers.items()
            if diff_id not in wanted and not layer.complete
        ]
        for diff_id in stopped:
            self._layers.pop(diff_id).stop()
        return bool(stopped)

    def _read(self, layer: PartialLayer, stored: StoredLayer) -> None:
        files: list[tuple[str, int]] = []
        try:
            with self._cache.temporary_folder() as place:
                layer.write(stored.blocks(files.append), place / "layer")
                self._cache.add_layer(layer.diff_id, place / "layer")
        except UNEXPECTED as error:
            layer.fail(error)
            return
        with suppress(*UNEXPECTED):
            self._cache.add_fingerprint(layer.diff_id, fingerprint_of(files))
