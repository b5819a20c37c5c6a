"""Having the program that keeps an image write its layers into the cache."""

from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image
from deploy.image.store.source import Source


class Writer:
    """An image's own program: it reads the whole for one layer, and always works."""

    def __init__(self, source: Source, cache: Cache) -> None:
        self._source, self._cache = source, cache
        self._thread = ThreadPoolExecutor(1)
        self._begun: Future[Content] | None = None

    def close(self) -> None:
        """Wait for what was begun."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    def begin(self, image: Image) -> None:
        """Start to write every layer, beside the rest; what goes wrong is met again later."""
        export = self._source.export
        self._begun = self._thread.submit(export, image, self._cache, image.layers)

    def wait(self) -> None:
        """Wait for what was begun, if anything."""
        if self._begun:
            self._begun.exception()

    def write(self, image: Image, wanted: Collection[str]) -> Content:
        """Bring these layers into the cache; give the image's content.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        self.wait()
        return self._source.export(image, self._cache, wanted)
