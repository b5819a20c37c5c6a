"""OCI manifest and config of an image with uncompressed layers."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

from deploy.errors import DeployError

_OCI = "application/vnd.oci.image"
_DOCKER = "application/vnd.docker"
# Media types of manifest, config and layer.
_OCI_TYPES = (f"{_OCI}.manifest.v1+json", f"{_OCI}.config.v1+json", f"{_OCI}.layer.v1.tar")
_DOCKER_TYPES = (
    f"{_DOCKER}.distribution.manifest.v2+json",
    f"{_DOCKER}.container.image.v1+json",
    f"{_DOCKER}.image.rootfs.diff.tar",
)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer: digest of its uncompressed tar (`sha256:…`), size, and its line of the history."""

    diff_id: str
    size: int
    made_by: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """Manifest and config of an image, and its layers; the manifest names uncompressed layers."""

    manifest: bytes = field(repr=False)
    config: bytes = field(repr=False)
    layers: tuple[Layer, ...]

    @property
    def id(self) -> str:
        """The image id as podman has it: the digest of the config."""
        return digest(self.config)

    @property
    def index(self) -> bytes:
        """The index.json of an OCI layout that has only this image."""
        manifest = json.loads(self.manifest)
        found = {
            "mediaType": manifest.get("mediaType", _OCI_TYPES[0]),
            "digest": digest(self.manifest),
            "size": len(self.manifest),
        }
        return _json({"schemaVersion": 2, "manifests": [found]})


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What an image's config says of its start: its user, and whether it has a command."""

    user: str = ""
    has_command: bool = True


def digest(data: bytes) -> str:
    """Compute the SHA-256 digest of data, as `sha256:…`."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def hex_of(diff_id: str) -> str:
    """Return the hexadecimal part of a digest, which is the file name of its blob.

    Raises:
        DeployError: when it is not a SHA-256 digest; it must not become an arbitrary path.
    """
    text = diff_id.removeprefix("sha256:")
    if len(text) != hashlib.sha256().digest_size * 2 or set(text) - set("0123456789abcdef"):
        raise DeployError(f"{diff_id!r} is not the SHA-256 digest of an image or a layer")
    return text


def compose(config: bytes, sizes: Sequence[int], original: Mapping[str, Any]) -> Content:
    """Build the manifest for a config and the sizes of its uncompressed layers.

    Annotations and Docker's media types are taken from the original manifest.
    """
    docker = str(original.get("config", {}).get("mediaType", "")).startswith(_DOCKER)
    manifest_type, config_type, layer_type = _DOCKER_TYPES if docker else _OCI_TYPES
    diff_ids = diff_ids_of(config)
    if len(diff_ids) != len(sizes):
        raise DeployError(f"the image has {len(sizes)} layers and its config names {len(diff_ids)}")
    manifest = {
        "schemaVersion": 2,
        "mediaType": manifest_type,
        "config": {"mediaType": config_type, "digest": digest(config), "size": len(config)},
        "layers": [
            {"mediaType": layer_type, "digest": diff_id, "size": size}
            for diff_id, size in zip(diff_ids, sizes, strict=True)
        ],
    }
    if original.get("annotations") and not docker:
        manifest["annotations"] = original["annotations"]
    return read(_json(manifest), config)


def read(manifest: bytes, config: bytes) -> Content:
    """Parse a manifest that names uncompressed layers, and its config.

    Raises:
        DeployError: when they are invalid or do not belong together.
    """
    try:
        named = json.loads(manifest)
        sizes = {layer["digest"]: layer["size"] for layer in named["layers"]}
        diff_ids = diff_ids_of(config)
        made_by = history_lines(json.loads(config).get("history"), len(diff_ids)) or repeat("")
        layers = tuple(
            Layer(diff_id, sizes[diff_id], line)
            for diff_id, line in zip(diff_ids, made_by, strict=False)
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DeployError(
            f"the image's manifest and config do not belong together: {error!r}"
        ) from error
    if named["config"]["digest"] != digest(config):
        raise DeployError("the image's manifest names a different config")
    return Content(manifest, config, layers)


def diff_ids_of(config: bytes) -> tuple[str, ...]:
    """List the digests of the uncompressed layers that an image's config names.

    Raises:
        DeployError: when it names no layers.
    """
    try:
        found = tuple(json.loads(config)["rootfs"]["diff_ids"])
    except (KeyError, TypeError, ValueError) as error:
        raise DeployError(f"the image's config names no layers: {error!r}") from error
    for diff_id in found:
        hex_of(diff_id)
    return found


def platform_of(config: Mapping[str, Any]) -> str:
    """Return the platform that a config or a description of an image names, as `linux/amd64`."""
    named = {key.lower(): value for key, value in config.items()}
    return f"{named.get('os') or 'linux'}/{named.get('architecture') or 'unknown'}"


def run_config(config: bytes) -> RunConfig:
    """Read from an image's config how a container of it starts."""
    return run_of(json.loads(config).get("config"))


def run_of(found: Mapping[str, Any] | None) -> RunConfig:
    """Read the part of an image's config about its containers, as podman and Docker show it."""
    part = found or {}
    return RunConfig(str(part.get("User") or ""), bool(part.get("Entrypoint") or part.get("Cmd")))


def history_lines(history: Iterable[Mapping[str, Any]] | None, layers: int) -> tuple[str, ...]:
    """List the line that made each layer; empty when the history leaves some out."""
    made = [one for one in history or () if not one.get("empty_layer")]
    return tuple(str(one.get("created_by", "")) for one in made) if len(made) == layers else ()


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
