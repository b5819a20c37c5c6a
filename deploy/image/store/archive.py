"""Read images from OCI layouts and from archives of `podman save` and `docker save`."""

import gzip
import hashlib
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from zstandard import ZstdError

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content, compose, diff_ids_of, digest, hex_of, run_config
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.store.archive_images import Listed, ListedImage, Open, select
from deploy.image.wire import zstd

_BLOCK_BYTES = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


@dataclass(frozen=True, slots=True)
class Archive:
    """An image in a folder or a tar file; `ref` selects one of several, by name or as `@0`."""

    name: str
    path: Path
    ref: str = ""

    def image(self, platform: str = "") -> Image:
        """Look up the image; in an index, the one for the platform."""
        with self._opened() as (open_file, entries):
            images = [image for one in entries for image in one.images]
            found = next((one for one in images if one.platform == platform), images[0])
            size = sum(
                self._layer(found, number, partial(_size, open_file))
                for number in range(len(found.layers))
            )
        return Image(
            self.name,
            digest(found.config),
            size,
            diff_ids_of(found.config),
            platforms=tuple(dict.fromkeys(one.platform for one in (found, *images))),
            run=run_config(found.config),
        )

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        with self._opened() as (open_file, entries):
            images = [image for one in entries for image in one.images]
            found = next((one for one in images if digest(one.config) == image.id), images[0])
            known = cache.content(image.id)
            diff_ids = diff_ids_of(found.config)
            if len(diff_ids) != len(found.layers):
                raise DeployError(
                    f"{self.name}: {len(found.layers)} layers, but its config names {len(diff_ids)}"
                )
            sizes = [layer.size for layer in known.layers] if known else []
            for number, diff_id in enumerate(diff_ids):
                unpack = partial(_unpack, open_file, diff_id=diff_id, cache=cache)
                if not known:
                    sizes.append(self._layer(found, number, unpack))
                elif diff_id in wanted and not cache.has(diff_id):
                    self._layer(found, number, unpack)
        if known:
            return known
        content = compose(found.config, sizes, found.manifest)
        cache.add_image(content)
        return content

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        path = str(self.path)
        words = ("tar", "-C", path, "-cf", "-", ".") if self.path.is_dir() else ("cat", path)
        with self._opened() as (_, entries):
            one = entries[0]
        return SaveCommand(words, "oci-archive" if one.is_oci else "docker-archive", one.ref)

    def _layer(self, image: ListedImage, number: int, read: Callable[[str], int]) -> int:
        """Read a layer; where that fails, add what kind of layer it is."""
        try:
            return read(image.layers[number])
        except (FileNotFoundError, DeployError) as error:
            if why := image.obstacle(number):
                raise DeployError(
                    f"layer {number + 1} of {self.name} {why}",
                    "build the image from a base without such layers",
                ) from error
            raise

    @contextmanager
    def _opened(self) -> Iterator[tuple[Open, tuple[Listed, ...]]]:
        try:
            with _opener(self.path) as open_file:
                try:
                    entries = select(open_file, self.ref)
                except DeployError as error:
                    message = f"the image {self.name} cannot be read: {error.message}"
                    raise DeployError(message, error.hint) from error
                yield open_file, entries
        except (OSError, tarfile.TarError, ZstdError, LookupError, TypeError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            said = "it is no tar archive" if isinstance(error, tarfile.ReadError) else said
            raise DeployError(
                f"the image {self.name} cannot be read: {said}",
                "give an OCI layout, or an archive of `podman save` or `docker save`",
            ) from error


@contextmanager
def _opener(path: Path) -> Iterator[Open]:
    if path.is_dir():
        yield lambda name: (path / name).open("rb")
        return
    with path.open("rb") as file:
        if file.read(4) == _ZSTD:
            raise DeployError(
                f"{path} is compressed with zstd as a whole",
                f"unpack it: `zstd -d {path.name}`, and name the result in IMAGE",
            )
    with tarfile.open(path) as tar:
        members = {posixpath.normpath(one.name): one for one in tar.getmembers()}

        def open_member(name: str) -> IO[bytes]:
            if name in members and (found := tar.extractfile(members[name])):
                return found
            raise FileNotFoundError(f"it has no {name}")

        yield open_member


def _size(open_file: Open, name: str) -> int:
    """Return a layer's size, uncompressed if gzip records it, which it does below 4 GB."""
    with open_file(name) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if stream.read(len(_GZIP)) != _GZIP:
            return size
        stream.seek(-4, os.SEEK_END)
        return max(size, int.from_bytes(stream.read(), "little"))


def _unpack(open_file: Open, name: str, *, diff_id: str, cache: Cache) -> int:
    """Uncompress a layer into the cache, compare it with its digest, return its size."""
    with cache.temporary_folder() as place:
        file = place / "layer"
        with open_file(name) as stream, file.open("wb") as out:
            start = stream.read(4)
            stream.seek(0)
            if start.startswith(_ZSTD):
                zstd.unpack(stream, out)
            elif start.startswith(_GZIP):
                with gzip.open(stream) as plain:
                    shutil.copyfileobj(plain, out, _BLOCK_BYTES)
            else:
                shutil.copyfileobj(stream, out, _BLOCK_BYTES)
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        if found != hex_of(diff_id):
            raise DeployError(f"layer {diff_id} is damaged in the archive: its digest differs")
        size = file.stat().st_size
        cache.add_layer(diff_id, file)
    return size
