"""Cache uncompressed layers and image metadata on disk; the least recently used go first."""

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
from typing import Literal, NamedTuple

from pydantic import TypeAdapter

from deploy.errors import DeployError
from deploy.image.layers.oci import Content, Layer, hex_of, read
from deploy.image.layers.similarity import Fingerprint, fingerprint_of_tar

_IMAGES_KEPT = 100
_FORGOTTEN_SECONDS = 24 * 3600
_FINGERPRINT = TypeAdapter(dict[str, int])


@dataclass(frozen=True, slots=True)
class Cache:
    """A folder with layers by digest, and with manifest and config of each image by id."""

    folder: Path
    limit: int

    def layer(self, diff_id: str) -> Path | None:
        """Return the path of a layer's tar and mark it as used; None when it is not cached."""
        path = self._path("layers", diff_id)
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def has(self, diff_id: str) -> bool:
        """Return whether a layer is cached."""
        return self._path("layers", diff_id).exists()

    def content(self, image_id: str) -> Content | None:
        """Read manifest and config of an image; None when they are not cached or damaged."""
        folder = self._path("images", image_id)
        try:
            os.utime(folder)
            found = read((folder / "manifest").read_bytes(), (folder / "config").read_bytes())
        except (FileNotFoundError, DeployError):
            return None
        return found if found.id == image_id else None

    def known_layers(self) -> dict[str, Layer]:
        """List the layers of all cached images, whether the layers are cached or not."""
        ids = (f"sha256:{path.name}" for path in (self.folder / "images").glob("*"))
        contents = filter(None, map(self.content, ids))
        return {layer.diff_id: layer for content in contents for layer in content.layers}

    @contextmanager
    def temporary_folder(self) -> Iterator[Path]:
        """Create a temporary folder on the disk of the cache; remove it at the end."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        place = Path(tempfile.mkdtemp(prefix="export-", dir=self.folder))
        try:
            yield place
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def add_layer(self, diff_id: str, file: Path) -> None:
        """Move a layer's tar into the cache, unverified: the node compares it with its digest."""
        _move(file, self._path("layers", diff_id))

    def fingerprint(self, diff_id: str) -> Fingerprint | None:
        """Return a layer's fingerprint; None when neither it nor the layer is cached."""
        with contextlib.suppress(OSError, ValueError):
            return _FINGERPRINT.validate_json(self._path("fingerprints", diff_id).read_bytes())
        try:
            found = fingerprint_of_tar(self._path("layers", diff_id))
        except (OSError, tarfile.TarError):
            return None
        self.add_fingerprint(diff_id, found)
        return found

    def add_fingerprint(self, diff_id: str, found: Fingerprint) -> None:
        """Store a layer's fingerprint."""
        with self.temporary_folder() as place:
            (place / "fingerprint").write_bytes(_FINGERPRINT.dump_json(found))
            _move(place / "fingerprint", self._path("fingerprints", diff_id))

    def add_image(self, content: Content) -> None:
        """Store an image's manifest and config."""
        with self.temporary_folder() as place:
            (place / "manifest").write_bytes(content.manifest)
            (place / "config").write_bytes(content.config)
            folder = self._path("images", content.id)
            if self.content(content.id) is None:
                shutil.rmtree(folder, ignore_errors=True)
            # Another process may have stored the same meanwhile.
            with contextlib.suppress(OSError):
                _move(place, folder)

    def remove_layers(self, diff_ids: frozenset[str]) -> None:
        """Remove damaged layers."""
        for diff_id in diff_ids:
            self._path("layers", diff_id).unlink(missing_ok=True)

    def trim(self, keep: frozenset[str]) -> None:
        """Remove the least recently used layers beyond the limit, except those in `keep`."""
        self._sweep()
        kept = {hex_of(diff_id) for diff_id in keep}
        files = _oldest_first(self.folder / "layers")
        total = sum(file.size for file in files)
        for _, size, file in files:
            if total > self.limit and file.name not in kept:
                total -= size
                file.unlink(missing_ok=True)
                (self.folder / "fingerprints" / file.name).unlink(missing_ok=True)
        for folder in _oldest_first(self.folder / "images")[:-_IMAGES_KEPT]:
            shutil.rmtree(folder.path, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove temporary folders of killed processes, and files of older versions."""
        shutil.rmtree(self.folder / "lists", ignore_errors=True)
        for place in self.folder.glob("export-*"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - place.stat().st_mtime > _FORGOTTEN_SECONDS:
                    shutil.rmtree(place, ignore_errors=True)

    def _path(self, kind: Literal["layers", "fingerprints", "images"], digest: str) -> Path:
        return self.folder / kind / hex_of(digest)


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


class _File(NamedTuple):
    """A file or folder: time of last use, size, path."""

    used: float
    size: int
    path: Path


def _oldest_first(folder: Path) -> list[_File]:
    """List files, least recently used first; skip files deleted meanwhile."""
    found = []
    for path in folder.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            status = path.stat()
            found.append(_File(status.st_mtime, status.st_size, path))
    return sorted(found)
