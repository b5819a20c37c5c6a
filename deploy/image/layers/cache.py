"""Layers of images, uncompressed, by the digest of their tar; bounded, oldest use first out."""

import contextlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.errors import DeployError
from deploy.image.layers import similarity
from deploy.image.layers.aged import oldest_first
from deploy.image.layers.oci import Content, Layer, hex_of, read
from deploy.image.layers.similarity import Listing

_IMAGES_KEPT = 100
_FORGOTTEN_SECONDS = 24 * 3600


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder of layers and of the manifest and config of each image they belong to."""

    folder: Path
    limit: int

    def layer(self, diff_id: str) -> Path | None:
        """Find a layer's tar, and count this as a use of it."""
        path = self._layers / hex_of(diff_id)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def holds(self, diff_id: str) -> bool:
        """Tell whether a layer is here."""
        return (self._layers / hex_of(diff_id)).exists()

    def content(self, image_id: str) -> Content | None:
        """Read what is known of an image; None where it was never exported, or is damaged."""
        folder = self._images / hex_of(image_id)
        try:
            os.utime(folder)
            found = read((folder / "manifest").read_bytes(), (folder / "config").read_bytes())
        except (FileNotFoundError, DeployError):
            return None
        return found if found.id == image_id else None

    def contents(self) -> Iterator[Content]:
        """Read every image that is known."""
        for folder in self._images.glob("*"):
            if found := self.content(f"sha256:{folder.name}"):
                yield found

    def known(self) -> dict[str, Layer]:
        """Tell of each layer that was ever part of an image here."""
        return {layer.diff_id: layer for one in self.contents() for layer in one.layers}

    @contextmanager
    def workplace(self) -> Iterator[Path]:
        """Lend a folder on the same disk, for an export; removed in the end."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = Path(tempfile.mkdtemp(prefix="export-", dir=self.folder))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def take(self, diff_id: str, file: Path) -> None:
        """Take a layer's tar in by renaming it; what the node proves need not be hashed here."""
        self._layers.mkdir(parents=True, exist_ok=True)
        file.replace(self._layers / hex_of(diff_id))

    def listing(self, diff_id: str) -> Listing | None:
        """Tell what files a layer holds; None where that is not known and the layer not here."""
        place = self._listings / hex_of(diff_id)
        try:
            return similarity.read(place.read_bytes())
        except (OSError, ValueError):
            pass
        try:
            found = similarity.listing_of_tar(self._layers / hex_of(diff_id))
        except (OSError, tarfile.TarError):
            return None
        self.note_listing(diff_id, found)
        return found

    def note_listing(self, diff_id: str, found: Listing) -> None:
        """Keep what files a layer holds."""
        with self.workplace() as place:
            (place / "listing").write_bytes(similarity.write(found))
            self._listings.mkdir(parents=True, exist_ok=True)
            (place / "listing").replace(self._listings / hex_of(diff_id))

    def note(self, content: Content) -> None:
        """Keep an image's manifest and config."""
        with self.workplace() as place:
            (place / "manifest").write_bytes(content.manifest)
            (place / "config").write_bytes(content.config)
            self._images.mkdir(parents=True, exist_ok=True)
            if self.content(content.id) is None:
                shutil.rmtree(self._images / hex_of(content.id), ignore_errors=True)
            # Another process may have noted the same; then theirs is as good.
            with contextlib.suppress(OSError):
                place.rename(self._images / hex_of(content.id))

    def drop(self, diff_ids: frozenset[str]) -> None:
        """Forget layers that turned out to be damaged."""
        for diff_id in diff_ids:
            (self._layers / hex_of(diff_id)).unlink(missing_ok=True)

    def trim(self, keep: frozenset[str]) -> None:
        """Remove the layers used longest ago until the rest is within the limit, but not `keep`."""
        self._sweep()
        kept = {hex_of(diff_id) for diff_id in keep}
        files = oldest_first(self._layers)
        total = sum(file.size for file in files)
        for _, size, file in files:
            if total > self.limit and file.name not in kept:
                total -= size
                file.unlink(missing_ok=True)
                (self._listings / file.name).unlink(missing_ok=True)
        for folder in oldest_first(self._images)[:-_IMAGES_KEPT]:
            shutil.rmtree(folder.path, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove the workplaces of processes that were killed, and what older versions kept."""
        shutil.rmtree(self.folder / "lists", ignore_errors=True)
        for place in self.folder.glob("export-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - place.stat().st_mtime > _FORGOTTEN_SECONDS:
                    shutil.rmtree(place, ignore_errors=True)

    @property
    def _layers(self) -> Path:
        return self.folder / "layers"

    @property
    def _listings(self) -> Path:
        return self.folder / "listings"

    @property
    def _images(self) -> Path:
        return self.folder / "images"
