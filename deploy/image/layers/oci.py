"""An image reduced to what travels: manifest, config, and layers by the digest of their tar."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.errors import DeployError

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: the digest of its uncompressed tar (`sha256:…`), its bytes, what made it."""

    diff_id: str
    size: int
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """An image whose manifest names uncompressed layers; its id is the digest of its config."""

    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    layers: tuple[Layer, ...]

    @property
    def id(self) -> str:
        """The image's id, as podman counts it."""
        return digest(self.config)

    @property
    def index(self) -> bytes:
        """The index.json of an OCI layout that holds only this image."""
        manifest = json.loads(self.manifest)
        found = {
            "mediaType": manifest.get("mediaType", f"{_OCI}.manifest.v1+json"),
            "digest": digest(self.manifest),
            "size": len(self.manifest),
        }
        return _json({"schemaVersion": 2, "manifests": [found]})


def digest(data: bytes) -> str:
    """Write the digest of some bytes as `sha256:…`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def hex_of(diff_id: str) -> str:
    """Give the part of a digest that names its blob.

    Raises:
        DeployError: for what is no SHA-256 digest, as it would name a file.
    """
    text = diff_id.removeprefix("sha256:")
    if len(text) != hashlib.sha256().digest_size * 2 or set(text) - set("0123456789abcdef"):
        raise DeployError(f"{diff_id!r} is no digest of an image or a layer")
    return text


def compose(config: bytes, sizes: Sequence[int], original: Mapping[str, Any]) -> Content:
    """Make the content of an image from its config and the bytes of each uncompressed layer.

    What the original manifest says of itself (annotations, Docker's own kind) is kept.
    """
    docker = str(original.get("config", {}).get("mediaType", "")).startswith(_DOCKER)
    kind = f"{_DOCKER}.image.rootfs.diff.tar" if docker else f"{_OCI}.layer.v1.tar"
    diff_ids = diff_ids_of(config)
    if len(diff_ids) != len(sizes):
        raise DeployError(f"the image has {len(sizes)} layers and its config names {len(diff_ids)}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{_DOCKER}.distribution.manifest.v2+json"
        if docker
        else f"{_OCI}.manifest.v1+json",
        "config": {
            "mediaType": f"{_DOCKER}.container.image.v1+json"
            if docker
            else f"{_OCI}.config.v1+json",
            "digest": digest(config),
            "size": len(config),
        },
        "layers": [
            {"mediaType": kind, "digest": diff_id, "size": size}
            for diff_id, size in zip(diff_ids, sizes, strict=True)
        ],
    }
    if original.get("annotations") and not docker:
        manifest["annotations"] = original["annotations"]
    return read(_json(manifest), config)


def read(manifest: bytes, config: bytes) -> Content:
    """Read the content of an image whose manifest names uncompressed layers.

    Raises:
        DeployError: when manifest and config do not belong together.
    """
    try:
        named = json.loads(manifest)
        sizes = {layer["digest"]: layer["size"] for layer in named["layers"]}
        made_by = _made_by(json.loads(config))
        diff_ids = diff_ids_of(config)
        layers = tuple(
            Layer(diff_id, sizes[diff_id], text)
            for diff_id, text in zip(diff_ids, _filled(made_by, len(diff_ids)), strict=True)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DeployError(
            f"the image's manifest and config do not belong together: {error!r}"
        ) from error
    if named["config"]["digest"] != digest(config):
        raise DeployError("the image's manifest names another config")
    return Content(manifest, config, layers)


def diff_ids_of(config: bytes) -> tuple[str, ...]:
    """List the digests of the uncompressed layers that an image's config names.

    Raises:
        DeployError: when it names none.
    """
    try:
        found = tuple(json.loads(config)["rootfs"]["diff_ids"])
    except (KeyError, TypeError, ValueError) as error:
        raise DeployError(f"the image's config names no layers: {error!r}") from error
    for diff_id in found:
        hex_of(diff_id)
    return found


def _made_by(config: Mapping[str, Any]) -> tuple[str, ...]:
    history = config.get("history") or ()
    return tuple(str(one.get("created_by", "")) for one in history if not one.get("empty_layer"))


def _filled(texts: tuple[str, ...], count: int) -> tuple[str, ...]:
    """Take the history only when it speaks of each layer; builders may leave it out."""
    return texts if len(texts) == count else ("",) * count


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
