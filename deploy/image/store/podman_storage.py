"""Podman's overlay storage, read in place: the tar of a layer byte for byte, without podman.

Beside a layer's files the storage keeps the record of the tar that they came in (tar-split): each
header as it was, and where the content of which file belongs. `podman save` copies a layer to a
temporary file before it gives the first byte of it, and starts for a tenth of a second.
"""

import base64
import gzip
import json
import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content, compose, hex_of
from deploy.image.plan.image import Image

# What reading a storage may raise that is other than it was, or than we know it.
UNEXPECTED = (OSError, ValueError, LookupError, TypeError, EOFError, zlib.error, DeployError)

_CHUNK = 1 << 20
_CONTENT, _HEADERS = 1, 2
# A record may name what is no plain file any more: never wait for a pipe, never follow a link.
_PLAINLY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK


@dataclass(frozen=True, slots=True)
class Kept:
    """A layer in the storage: the folder of its files, and the record of its tar."""

    folder: Path
    record: Path
    noted: int = 0

    @property
    def size(self) -> int:
        """The bytes of the tar; counted where the storage has not noted them."""
        return self.noted or sum(
            len(part) if isinstance(part, bytes) else part[1] for part in self._parts()
        )

    def files(self) -> Iterator[tuple[str, int]]:
        """Give the name and bytes of each file that has any."""
        return (part for part in self._parts() if not isinstance(part, bytes))

    def chunks(self, met: Callable[[tuple[str, int]], None] = lambda _: None) -> Iterator[bytes]:
        """Give the tar from its start, in chunks of about a megabyte.

        `met` is told each file that has any bytes, its name and how many.

        Raises:
            UNEXPECTED: where the storage is not as it was.
        """
        waiting: list[bytes] = []
        count = 0
        for part in self._parts():
            if not isinstance(part, bytes):
                met(part)
            for data in (part,) if isinstance(part, bytes) else self._file(*part):
                waiting.append(data)
                count += len(data)
                if count >= _CHUNK:
                    yield b"".join(waiting)
                    waiting, count = [], 0
        yield b"".join(waiting)

    def _parts(self) -> Iterator[bytes | tuple[str, int]]:
        with gzip.open(self.record) as lines:
            for line in lines:
                entry = json.loads(line)
                if entry["type"] == _HEADERS:
                    yield base64.b64decode(entry["payload"])
                elif entry["type"] == _CONTENT and entry.get("size"):
                    yield _name(entry), entry["size"]

    def _file(self, name: str, size: int) -> Iterator[bytes]:
        descriptor = os.open(f"{self.folder}/{name}", _PLAINLY)
        try:
            while size:
                data = os.read(descriptor, min(size, _CHUNK))
                if not data:
                    raise ValueError(f"{name} is shorter than its layer says")
                size -= len(data)
                yield data
        finally:
            os.close(descriptor)


def _name(entry: dict[str, Any]) -> str:
    """Read a file's name, of bytes that need not be text."""
    raw = entry.get("name_raw")
    return os.fsdecode(base64.b64decode(raw)) if raw else str(entry["name"])


def kept_layers(image: Image) -> dict[str, Kept]:
    """Find the layers of an image that can be read in place; none where that is not allowed."""
    found = {}
    noted = _noted(Path(image.folders[0]).parents[1]) if image.folders else {}
    for diff_id, name in zip(image.layers, image.folders, strict=False):
        folder = Path(name)
        record = (
            folder.parents[1].with_name("overlay-layers") / f"{folder.parent.name}.tar-split.gz"
        )
        if os.access(record, os.R_OK) and os.access(folder, os.R_OK | os.X_OK):
            found[diff_id] = Kept(folder, record, noted.get(folder.parent.name, 0))
    return found


def _noted(overlay: Path) -> dict[str, int]:
    """Read how many bytes each layer's tar has, where the storage has noted it."""
    try:
        layers = json.loads((overlay.with_name("overlay-layers") / "layers.json").read_bytes())
        return {one["id"]: int(one.get("diff-size", 0)) for one in layers}
    except UNEXPECTED:
        return {}


def content_of(image: Image, kept: dict[str, Kept], cache: Cache) -> Content:
    """Compose an image's content from what the storage keeps of it.

    Raises:
        UNEXPECTED: where the storage is not as expected.
    """
    place = kept[image.layers[0]].folder.parents[1].with_name("overlay-images") / hex_of(image.id)
    config = (place / f"={base64.b64encode(image.id.encode()).decode()}").read_bytes()
    sizes = [
        file.stat().st_size if (file := cache.layer(one)) else kept[one].size
        for one in image.layers
    ]
    content = compose(config, sizes, json.loads((place / "manifest").read_bytes()))
    if content.id != image.id:
        raise DeployError(f"podman's storage keeps another config for {image.id}")
    return content
