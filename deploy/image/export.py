"""An image on its way out of where it is kept: each of its layers is read once, for all who ask."""

from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from threading import Lock
from types import TracebackType
from typing import Self

from deploy.image.arriving import Arriving
from deploy.image.cache import Cache
from deploy.image.content import Content
from deploy.image.listing import Listing, listing_of
from deploy.image.overlay import UNEXPECTED, Kept, content_of, kept_layers
from deploy.image.pieces import Bytes, cut, stored
from deploy.image.press import Job, Press
from deploy.image.source import Source


class Export:
    """An image of the workstation, being read into the cache of layers.

    Where podman's storage can be read in place, that begins at once, beside everything else, and
    the first bytes of a layer can be had before its last. Else its program writes the layers.
    """

    def __init__(self, source: Source, cache: Cache, *, nodes: int = 1) -> None:
        self.source, self.cache, self.image = source, cache, source.image()
        self.press = Press(cache, nodes=nodes)
        self._alone = Lock()
        self._reader = ThreadPoolExecutor(1)
        self._arriving: dict[str, Arriving] = {}
        self._begun: list[Arriving] = []
        self._asked: set[str] = set()
        self._kept: dict[str, Kept] = {}
        self._content: Content | None = None
        self._program: Future[Content] | None = None

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for one in self._begun:
            one.stop()
        self.press.close()
        self._reader.shutdown(wait=True, cancel_futures=True)
        for one in self._begun:
            one.close()
        if self._content and not error:
            self.cache.note(self._content)

    def content(self, wanted: Collection[str]) -> Content:
        """Give the image's content, and have these of its layers read.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        with self._alone:
            self._asked.update(wanted)
            self._stop_all_but(self._asked)
            found = self._content or self.cache.content(self.image.id)
            lacking = [one for one in self._lacking() if one in wanted]
            if found and all(one in self._kept for one in lacking):
                for one in lacking:
                    self._start(one, found)
                return found
            if self._program:
                self._program.exception()
            return self.source.export(self.image, self.cache, wanted)

    @contextmanager
    def layer(self, diff_id: str) -> Iterator[Bytes]:
        """Open a layer that was asked for, or that the cache has."""
        if found := self._arriving.get(diff_id):
            yield found
            return
        file = self.cache.layer(diff_id)
        if file is None:
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
            self._stop_all_but(())
            self._kept, self._content = {}, None
            self.press.forget()
            self.cache.drop(frozenset(self.image.layers))

    def _begin(self) -> None:
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
        sizes = {layer.diff_id: layer.size for layer in layers}
        self.image = replace(self.image, sizes=sizes)
        if self._content:
            lacking = self._lacking()
            for one in lacking:
                self._start(one, self._content)
            if lacking and len(lacking) == len(set(self.image.layers)):
                # Nothing that is like it was ever sent from here: it will go for itself.
                first = self._arriving[lacking[0]]
                self.press.begin(Job(first.diff_id, first), cut(first, b""))
        elif known is None and any(self.cache.holds(one) for one in self.image.layers):
            everything = self.image.layers
            self._program = self._reader.submit(
                self.source.export, self.image, self.cache, everything
            )

    def _listing(self, diff_id: str) -> Listing | None:
        if self._program and diff_id in self.image.layers:
            self._program.exception()
        known = self.cache.listing(diff_id)
        if known is None and diff_id in self._kept:
            with suppress(*UNEXPECTED):
                known = listing_of(self._kept[diff_id].files())
                self.cache.note_listing(diff_id, known)
        return known

    def _lacking(self) -> list[str]:
        return [one for one in dict.fromkeys(self.image.layers) if not self.cache.holds(one)]

    def _start(self, diff_id: str, content: Content) -> None:
        if diff_id in self._arriving:
            return
        size = next(layer.size for layer in content.layers if layer.diff_id == diff_id)
        self._arriving[diff_id] = Arriving(diff_id, size)
        self._begun.append(self._arriving[diff_id])
        self._reader.submit(self._read, self._arriving[diff_id], self._kept[diff_id])

    def _read(self, layer: Arriving, kept: Kept) -> None:
        try:
            with self.cache.workplace() as place:
                layer.write(kept.chunks(), place / "layer")
                self.cache.take(layer.diff_id, place / "layer")
        except UNEXPECTED as error:
            layer.fail(error)
            return
        with suppress(*UNEXPECTED):
            self.cache.note_listing(layer.diff_id, listing_of(kept.files()))

    def _stop_all_but(self, wanted: Collection[str]) -> None:
        for diff_id, layer in tuple(self._arriving.items()):
            if diff_id not in wanted and not layer.whole:
                layer.stop()
                del self._arriving[diff_id]
                self.press.forget()
