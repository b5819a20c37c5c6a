"""An image on its way out of where it is kept: each of its layers is read once, for all who ask."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Lock
from typing import Self

from deploy.image.export.exporter import Writer
from deploy.image.export.layer_reader import Reader
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.layers.similarity import Listing, listing_of
from deploy.image.store.podman_storage import UNEXPECTED, Kept, content_of, kept_layers
from deploy.image.store.source import Source
from deploy.image.wire.chunks import Bytes, cut, stored
from deploy.image.wire.compress import Job
from deploy.image.wire.compressor import Press


class Export:
    """An image of the workstation, being read into the cache of layers.

    Where podman's storage can be read in place, that begins at once, beside everything else, and
    the first bytes of a layer can be had before its last. Else its program writes the layers.
    """

    def __init__(self, source: Source, cache: Cache, *, nodes: int = 1) -> None:
        self.source, self.cache = source, cache
        self.image = source.image()
        self.press = Press(cache, nodes=nodes)
        self._alone = Lock()
        self._reader = Reader(cache)
        self._writer = Writer(source, cache)
        self._asked = set[str]()
        self._kept: dict[str, Kept] = {}
        self._content: Content | None = None

    def __enter__(self) -> Self:
        """Start to read an image that was never read before: most probably it is to be sent.

        A program that has to read the whole is started only where little of it is new.
        """
        known = self.cache.content(self.image.id)
        self._kept = kept_layers(self.image)
        if known is None:
            with suppress(*UNEXPECTED):
                self._content = content_of(self.image, self._kept, self.cache)
        found = known or self._content
        layers = found.layers if found else tuple(self.cache.known().values())
        self.image = replace(self.image, sizes={one.diff_id: one.size for one in layers})
        if self._content:
            lacking = self._lacking()
            self._start(lacking, self._content)
            all_new = len(lacking) == len(set(self.image.layers))
            if all_new and (first := self._reader.find(lacking[0])):
                # Nothing that is like it was ever sent from here: it will go for itself.
                self.press.begin(Job(first.diff_id, first), cut(first, b""))
        elif known is None and any(self.cache.holds(one) for one in self.image.layers):
            self._writer.begin(self.image)
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        # Who compresses waits for what is being read.
        self._reader.stop_all_but(())
        self.press.close()
        self._reader.close()
        self._writer.close()
        if self._content and kind is None:
            self.cache.note(self._content)

    def content(self, wanted: Collection[str]) -> Content:
        """Give the image's content, and have these of its layers read.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        with self._alone:
            self._asked.update(wanted)
            if self._reader.stop_all_but(self._asked):
                self.press.forget()
            found = self._content or self.cache.content(self.image.id)
            lacking = [one for one in self._lacking() if one in wanted]
            if found and all(one in self._kept for one in lacking):
                self._start(lacking, found)
                return found
            return self._writer.write(self.image, wanted)

    def whole(self, wanted: Collection[str]) -> Content:
        """Give the image's content, and have these of its layers in the cache to the last byte.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        content = self.content(wanted)
        self._reader.wait(wanted)
        with self._alone:
            if all(map(self.cache.holds, wanted)):
                return content
            return self._writer.write(self.image, wanted)

    @contextmanager
    def layer(self, diff_id: str) -> Iterator[Bytes]:
        """Open a layer that was asked for, or that the cache has."""
        if found := self._reader.find(diff_id):
            yield found
            return
        if (file := self.cache.layer(diff_id)) is None:
            raise FileNotFoundError(f"{diff_id} was exported and is not in {self.cache.folder}")
        with stored(file) as opened:
            yield opened

    def listings(self, diff_ids: Collection[str]) -> dict[str, Listing]:
        """Tell what files these layers hold, where that can be known."""
        with self._alone:
            return {one: found for one in diff_ids if (found := self._listing(one)) is not None}

    def distrust(self) -> None:
        """Forget what was read: something of it is not what it should be."""
        with self._alone:
            self._reader.stop_all_but(())
            self._kept, self._content = {}, None
            self.press.forget()
            self.cache.drop(frozenset(self.image.layers))

    def _listing(self, diff_id: str) -> Listing | None:
        if diff_id in self.image.layers:
            self._writer.wait()
        known = self.cache.listing(diff_id)
        if known is None and diff_id in self._kept:
            with suppress(*UNEXPECTED):
                known = listing_of(self._kept[diff_id].files())
                self.cache.note_listing(diff_id, known)
        return known

    def _lacking(self) -> list[str]:
        return [one for one in dict.fromkeys(self.image.layers) if not self.cache.holds(one)]

    def _start(self, diff_ids: Collection[str], content: Content) -> None:
        sizes = {layer.diff_id: layer.size for layer in content.layers}
        for one in diff_ids:
            self._reader.start(one, sizes[one], self._kept[one])
