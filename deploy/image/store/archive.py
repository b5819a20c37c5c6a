"""Read images from OCI layouts and from archives of `podman save` and `docker save`."""

import gzip
import hashlib
import json
import os
import posixpath
import shutil
import tarfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content, compose, diff_ids_of, digest, hex_of
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.wire import zstd

_BLOCK_BYTES = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_REF = "org.opencontainers.image.ref.name"


@dataclass(frozen=True, slots=True)
class Archive:
    """An image in a folder or a tar file; `ref` selects one of several in an OCI layout."""

    name: str
    path: Path
    ref: str = ""

    def image(self) -> Image:
        """Look up the image."""
        with self._opened() as (entries, parts):
            size = sum(_size(entries, name) for name in parts.layers)
        layers = diff_ids_of(parts.config)
        return Image(self.name, digest(parts.config), size, layers)

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        with self._opened() as (entries, parts):
            known = cache.content(image.id)
            diff_ids = diff_ids_of(parts.config)
            if len(diff_ids) != len(parts.layers):
                raise DeployError(
                    f"{self.name}: {len(parts.layers)} layers, but its config names {len(diff_ids)}"
                )
            sizes = [layer.size for layer in known.layers] if known else []
            for diff_id, name in zip(diff_ids, parts.layers, strict=True):
                if not known:
                    sizes.append(_unpack(entries, name, diff_id, cache))
                elif diff_id in wanted and not cache.has(diff_id):
                    _unpack(entries, name, diff_id, cache)
        if known:
            return known
        content = compose(parts.config, sizes, parts.manifest)
        cache.add_image(content)
        return content

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        path = str(self.path)
        words = ("tar", "-C", path, "-cf", "-", ".") if self.path.is_dir() else ("cat", path)
        with self._opened() as (entries, _):
            if entries.has("index.json"):
                return SaveCommand(words, "oci-archive", self.ref)
        return SaveCommand(words, "docker-archive", "@0")

    @contextmanager
    def _opened(self) -> Iterator[tuple["_Entries", "_Parts"]]:
        try:
            with _entries(self.path) as entries:
                yield entries, _parts(entries, self.ref)
        except (OSError, tarfile.TarError, KeyError, IndexError, TypeError, ValueError) as error:
            raise DeployError(
                f"the image {self.name} cannot be read: {type(error).__name__}: {error}",
                "give an OCI layout, or an archive of `podman save` or `docker save`",
            ) from error


@dataclass(frozen=True, slots=True)
class _Parts:
    manifest: Mapping[str, Any]
    config: bytes
    layers: tuple[str, ...]


class _Entries(Protocol):
    def open(self, name: str) -> IO[bytes]: ...

    def size(self, name: str) -> int: ...

    def has(self, name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path

    def open(self, name: str) -> IO[bytes]:
        return (self.path / name).open("rb")

    def size(self, name: str) -> int:
        return (self.path / name).stat().st_size

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()


@dataclass(frozen=True, slots=True)
class _Tar:
    tar: tarfile.TarFile
    members: Mapping[str, tarfile.TarInfo]

    def open(self, name: str) -> IO[bytes]:
        found = self.tar.extractfile(self._real(name))
        if found is None:
            raise KeyError(name)
        return found

    def size(self, name: str) -> int:
        return self._real(name).size

    def has(self, name: str) -> bool:
        return name in self.members

    def _real(self, name: str) -> tarfile.TarInfo:
        """Resolve links, by which an archive refers to a layer twice."""
        member = self.members[name]
        if member.issym():
            return self._real(
                posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
            )
        return self._real(posixpath.normpath(member.linkname)) if member.islnk() else member


@contextmanager
def _entries(path: Path) -> Iterator[_Entries]:
    if path.is_dir():
        yield _Folder(path)
        return
    with tarfile.open(path) as tar:
        yield _Tar(tar, {posixpath.normpath(one.name): one for one in tar.getmembers()})


def _parts(entries: _Entries, ref: str) -> _Parts:
    return _oci(entries, ref) if entries.has("index.json") else _docker(entries)


def _docker(entries: _Entries) -> _Parts:
    found = _json(entries, "manifest.json")[0]
    kind = {"config": {"mediaType": "application/vnd.docker.container.image.v1+json"}}
    with entries.open(found["Config"]) as stream:
        return _Parts(
            kind, stream.read(), tuple(posixpath.normpath(one) for one in found["Layers"])
        )


def _oci(entries: _Entries, ref: str) -> _Parts:
    chosen = [
        one
        for one in _json(entries, "index.json")["manifests"]
        if not ref or one.get("annotations", {}).get(_REF) == ref
    ]
    if len(chosen) != 1:
        raise ValueError(f"{len(chosen)} images match {ref or 'the layout'}; select one by its tag")
    manifest = _json(entries, _blob(chosen[0]["digest"]))
    with entries.open(_blob(manifest["config"]["digest"])) as stream:
        config = stream.read()
    return _Parts(manifest, config, tuple(_blob(one["digest"]) for one in manifest["layers"]))


def _blob(diff_id: str) -> str:
    return f"blobs/sha256/{hex_of(diff_id)}"


def _json(entries: _Entries, name: str) -> Any:
    with entries.open(name) as stream:
        return json.load(stream)


def _size(entries: _Entries, name: str) -> int:
    """Return a layer's size, uncompressed if gzip records it, which it does below 4 GB."""
    size = entries.size(name)
    with entries.open(name) as stream:
        if not stream.read(len(_GZIP)).startswith(_GZIP):
            return size
        stream.seek(-4, os.SEEK_END)
        return max(size, int.from_bytes(stream.read(), "little"))


def _unpack(entries: _Entries, name: str, diff_id: str, cache: Cache) -> int:
    """Uncompress a layer into the cache, compare it with its digest, return its size."""
    with cache.temporary_folder() as place:
        file = place / "layer"
        with entries.open(name) as stream, file.open("wb") as out:
            start = stream.read(4)
            stream.seek(0)
            if start.startswith(_ZSTD):
                _unzstd(stream, out)
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


def _unzstd(stream: IO[bytes], out: IO[bytes]) -> None:
    """Uncompress through a file, since a tar member has no file descriptor for zstd."""
    packed = Path(out.name).with_suffix(".zst")
    with packed.open("wb") as copy:
        shutil.copyfileobj(stream, copy, _BLOCK_BYTES)
    with packed.open("rb") as reads, zstd.running(("zstd", "-dqc"), reads=reads, output=out):
        pass
    packed.unlink()
