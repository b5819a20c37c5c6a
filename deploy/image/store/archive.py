"""Read images from OCI layouts and from archives of `podman save` and `docker save`."""

import gzip
import hashlib
import json
import os
import posixpath
import shutil
import tarfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

from zstandard import ZstdError

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content, compose, diff_ids_of, digest, hex_of, platform_of
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.wire import zstd

_BLOCK_BYTES = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# What an attestation in an index is for.
_NO_PLATFORM = "unknown/unknown"
_REF = "org.opencontainers.image.ref.name"
# Open a file of an archive or a layout by its name.
_Open: TypeAlias = Callable[[str], IO[bytes]]


@dataclass(frozen=True, slots=True)
class Archive:
    """An image in a folder or a tar file; `ref` selects one of several in an OCI layout."""

    name: str
    path: Path
    ref: str = ""

    def image(self, platform: str = "") -> Image:
        """Look up the image; in an index, the one for the platform."""
        with self._opened() as (open_file, found):
            parts = next((one for one in found if one.platform == platform), found[0])
            size = sum(_size(open_file, name) for name in parts.layers)
        layers = diff_ids_of(parts.config)
        platforms = tuple(dict.fromkeys(one.platform for one in (parts, *found)))
        return Image(self.name, digest(parts.config), size, layers, platforms=platforms)

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        with self._opened() as (open_file, found):
            parts = next((one for one in found if digest(one.config) == image.id), found[0])
            known = cache.content(image.id)
            diff_ids = diff_ids_of(parts.config)
            if len(diff_ids) != len(parts.layers):
                raise DeployError(
                    f"{self.name}: {len(parts.layers)} layers, but its config names {len(diff_ids)}"
                )
            sizes = [layer.size for layer in known.layers] if known else []
            for diff_id, name in zip(diff_ids, parts.layers, strict=True):
                if not known:
                    sizes.append(_unpack(open_file, name, diff_id, cache))
                elif diff_id in wanted and not cache.has(diff_id):
                    _unpack(open_file, name, diff_id, cache)
        if known:
            return known
        content = compose(parts.config, sizes, parts.manifest)
        cache.add_image(content)
        return content

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        path = str(self.path)
        words = ("tar", "-C", path, "-cf", "-", ".") if self.path.is_dir() else ("cat", path)
        with self._opened() as (_, found):
            if found[0].is_oci:
                return SaveCommand(words, "oci-archive", self.ref)
        return SaveCommand(words, "docker-archive", "@0")

    @contextmanager
    def _opened(self) -> Iterator[tuple[_Open, "list[_Parts]"]]:
        try:
            with _opener(self.path) as open_file:
                yield open_file, _parts(open_file, self.ref)
        except (OSError, tarfile.TarError, ZstdError, LookupError, TypeError, ValueError) as error:
            raise DeployError(
                f"the image {self.name} cannot be read: {type(error).__name__}: {error}",
                "give an OCI layout, or an archive of `podman save` or `docker save`",
            ) from error


@dataclass(frozen=True, slots=True)
class _Parts:
    manifest: Mapping[str, Any]
    config: bytes
    layers: tuple[str, ...]
    is_oci: bool

    @property
    def platform(self) -> str:
        return platform_of(json.loads(self.config))


@contextmanager
def _opener(path: Path) -> Iterator[_Open]:
    if path.is_dir():
        yield lambda name: (path / name).open("rb")
        return
    with tarfile.open(path) as tar:
        members = {posixpath.normpath(one.name): one for one in tar.getmembers()}

        def open_member(name: str) -> IO[bytes]:
            if name in members and (found := tar.extractfile(members[name])):
                return found
            raise FileNotFoundError(f"it has no {name}")

        yield open_member


def _parts(open_file: _Open, ref: str) -> list[_Parts]:
    """Find the image, or the images for several platforms."""
    try:
        index = _json(open_file, "index.json")
    except FileNotFoundError:
        return [_docker(open_file)]
    chosen = [
        one for one in index["manifests"] if not ref or one.get("annotations", {}).get(_REF) == ref
    ]
    found = [parts for one in chosen for parts in _images(open_file, one)]
    if len(chosen) != 1 and len({one.platform for one in found}) != max(len(chosen), 1):
        raise ValueError(f"{len(chosen)} images match {ref or 'the layout'}; select one by its tag")
    return found


def _docker(open_file: _Open) -> _Parts:
    found = _json(open_file, "manifest.json")[0]
    kind = {"config": {"mediaType": "application/vnd.docker.container.image.v1+json"}}
    with open_file(found["Config"]) as stream:
        layers = tuple(map(posixpath.normpath, found["Layers"]))
        return _Parts(kind, stream.read(), layers, is_oci=False)


def _images(open_file: _Open, named: Any) -> Iterator[_Parts]:
    """Read an image, or those of an index; attestations in it are for no platform."""
    manifest = _json(open_file, _blob(named["digest"]))
    if "manifests" in manifest:
        for one in manifest["manifests"]:
            if platform_of(one.get("platform", {})) != _NO_PLATFORM:
                yield from _images(open_file, one)
        return
    with open_file(_blob(manifest["config"]["digest"])) as stream:
        layers = tuple(_blob(one["digest"]) for one in manifest["layers"])
        yield _Parts(manifest, stream.read(), layers, is_oci=True)


def _blob(diff_id: str) -> str:
    return f"blobs/sha256/{hex_of(diff_id)}"


def _json(open_file: _Open, name: str) -> Any:
    with open_file(name) as stream:
        return json.load(stream)


def _size(open_file: _Open, name: str) -> int:
    """Return a layer's size, uncompressed if gzip records it, which it does below 4 GB."""
    with open_file(name) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        if stream.read(len(_GZIP)) != _GZIP:
            return size
        stream.seek(-4, os.SEEK_END)
        return max(size, int.from_bytes(stream.read(), "little"))


def _unpack(open_file: _Open, name: str, diff_id: str, cache: Cache) -> int:
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
