"""Export layers through `podman save`, `docker save` or an archive: slower, but always works."""

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image
from deploy.image.store.source import Source


class Exporter:
    """Exports layers of one image into the cache; each export reads the whole image."""

    def __init__(self, source: Source, cache: Cache) -> None:
        self._source, self._cache = source, cache
        self._thread = ThreadPoolExecutor(1)
        self._started: Future[Content] | None = None

    def close(self) -> None:
        """Wait for a background export to end."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def start(self, image: Image) -> None:
        """Start exporting all layers in the background; `export` reports its errors."""
        self._started = self._thread.submit(self._source.export, image, self._cache, image.layers)

    def wait(self) -> None:
        """Wait for the background export, if one was started."""
        if self._started:
            self._started.exception()

    def export(self, image: Image, wanted: Collection[str]) -> Content:
        """Export these layers into the cache; return the manifest and config.

        Raises:
            DeployError: when the image is damaged or was removed.
        """
        self.wait()
        return self._source.export(image, self._cache, wanted)
