"""Read an image's layers from local storage, once, for all concurrent transfers."""

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import Self

from deploy.image.export.layer_reader import LayerReader
from deploy.image.layers.cache import Cache
from deploy.image.layers.file_of_tar import file_of_tar
from deploy.image.layers.oci import Content
from deploy.image.layers.similarity import Fingerprint, fingerprint_of
from deploy.image.store.podman_storage import UNEXPECTED, StoredLayer, content_of, stored_layers
from deploy.image.store.source import Source
from deploy.image.wire.chunks import Bytes, cut_chunks, open_bytes
from deploy.image.wire.compress import Job
from deploy.image.wire.compressor import Compressor


class Export:
    """A local image whose layers are being read into the layer cache.

    Podman's storage is read directly where permissions allow it: in the background from the start,
    and a layer's first bytes are available before its last. Otherwise `podman save`, `docker save`
    or the archive provides the layers.
    """

    def __init__(self, source: Source, cache: Cache, *, nodes: int = 1, platform: str = "") -> None:
        self.source, self.cache = source, cache
        self.image = source.image(platform)
        self.compressor = Compressor(cache, nodes=nodes)
        self._lock = Lock()
        self._reader = LayerReader(cache)
        self._thread = ThreadPoolExecutor(1)
        self._started: Future[Content] | None = None
        self._requested = set[str]()
        self._stored: dict[str, StoredLayer] = {}
        self._content: Content | None = None

    def __enter__(self) -> Self:
        """Start reading an image that is not in the cache: most probably it has to be sent.

        The slower export, which reads the whole image, starts early only when some layers are
        cached already.
        """
        self._begin()
        return self

    def _begin(self) -> None:
        known = self.cache.content(self.image.id)
        self._stored = stored_layers(self.image)
        if known is None:
            with suppress(*UNEXPECTED):
                self._content = content_of(self.image, self._stored, self.cache)
        found = known or self._content
        layers = found.layers if found else tuple(self.cache.known_layers().values())
        self.image = replace(self.image, sizes={one.diff_id: one.size for one in layers})
        if self._content:
            lacking = self._lacking()
            self._start(lacking, self._content)
            all_new = len(lacking) == len(set(self.image.layers))
            if all_new and (first := self._reader.find(lacking[0])):
                # No similar layer was ever sent from here: it will be compressed without a base.
                self.compressor.start_early(Job(first.diff_id, first), cut_chunks(first, b""))
        elif known is None and any(self.cache.has(one) for one in self.image.layers):
            self._started = self._thread.submit(
                self.source.export, self.image, self.cache, self.image.layers
            )

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        # Stop reading first: the compressor waits for data that is being read.
        self._reader.stop_except(())
        self.compressor.close()
        self._reader.close()
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._content and kind is None:
            self.cache.add_image(self._content)

    def choose(self, platform: str) -> None:
        """Take the image for this platform, where there are several.

        Raises:
            DeployError: when the image cannot be read.
        """
        if self.image.platforms[:1] in {(), (platform,)}:
            return
        image = self.source.image(platform)
        with self._lock:
            if image.id == self.image.id:
                self.image = replace(self.image, platforms=image.platforms)
                return
            self._forget()
            self.image, self._started = image, None
            self._begin()

    def measure(self, wanted: Collection[str]) -> None:
        """Find the sizes of these layers, by reading them where nothing else tells.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        if not all(one in self.image.sizes for one in wanted):
            layers = self.content(wanted).layers
            self.image = replace(self.image, sizes={one.diff_id: one.size for one in layers})

    def content(self, wanted: Collection[str]) -> Content:
        """Return the manifest and config, and start reading these layers.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        with self._lock:
            self._requested.update(wanted)
            if self._reader.stop_except(self._requested):
                self.compressor.clear()
            found = self._content or self.cache.content(self.image.id)
            lacking = [one for one in self._lacking() if one in wanted]
            if found and all(one in self._stored for one in lacking):
                self._start(lacking, found)
                return found
            return self._export(wanted)

    def cache_layers(self, wanted: Collection[str]) -> None:
        """Read these layers into the cache completely.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        self.content(wanted)
        self._reader.wait(wanted)
        with self._lock:
            if not all(map(self.cache.has, wanted)):
                self._export(wanted)

    @contextmanager
    def layer(self, diff_id: str) -> Iterator[Bytes]:
        """Open a layer that is being read, or that is cached."""
        if found := self._reader.find(diff_id):
            yield found
            return
        if (file := self.cache.layer(diff_id)) is None:
            raise FileNotFoundError(f"layer {diff_id} is missing from {self.cache.folder}")
        with open_bytes(file) as opened:
            yield opened

    def read_file(self, name: str) -> bytes | None:
        """Read a small file of the image; empty where it has none, None where that is unclear.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        for diff_id in reversed(self.image.layers):
            try:
                if stored := self._stored.get(diff_id):
                    found = stored.read_file(name)
                else:
                    self.cache_layers(self.image.layers)
                    found = file_of_tar(self.cache.layer(diff_id), name)
            except UNEXPECTED:
                return None
            if found is not None:
                return found
        return b""

    def fingerprints(self, diff_ids: Collection[str]) -> dict[str, Fingerprint]:
        """Return the fingerprints of these layers, as far as they can be read."""
        with self._lock:
            return {one: found for one in diff_ids if (found := self._fingerprint(one)) is not None}

    def discard_layers(self) -> None:
        """Discard all cached layers of the image, because one turned out to be damaged."""
        with self._lock:
            self._forget()
            self.cache.remove_layers(frozenset(self.image.layers))

    def _forget(self) -> None:
        """Stop reading the image."""
        self._reader.stop_except(())
        self._stored, self._content = {}, None
        self.compressor.clear()

    def _export(self, wanted: Collection[str]) -> Content:
        """Export these layers with the image's program, which reads the whole image."""
        self._wait_for_export()
        return self.source.export(self.image, self.cache, wanted)

    def _wait_for_export(self) -> None:
        """Wait for the background export; when it failed, the next one reports why."""
        if self._started:
            self._started.exception()

    def _fingerprint(self, diff_id: str) -> Fingerprint | None:
        if diff_id in self.image.layers:
            self._wait_for_export()
        known = self.cache.fingerprint(diff_id)
        if known is None and diff_id in self._stored:
            with suppress(*UNEXPECTED):
                known = fingerprint_of(self._stored[diff_id].files())
                self.cache.add_fingerprint(diff_id, known)
        return known

    def _lacking(self) -> list[str]:
        return [one for one in dict.fromkeys(self.image.layers) if not self.cache.has(one)]

    def _start(self, diff_ids: Collection[str], content: Content) -> None:
        sizes = {layer.diff_id: layer.size for layer in content.layers}
        for one in diff_ids:
            self._reader.start(one, sizes[one], self._stored[one])
