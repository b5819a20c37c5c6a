"""Manifests of images and of signatures, as the OCI image specification has them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from deploy.image.layers.oci import digest
from deploy.node.answer import reading

_OCI = "application/vnd.oci.image"
MANIFEST_TYPE = f"{_OCI}.manifest.v1+json"
CONFIG_TYPE = f"{_OCI}.config.v1+json"
LAYER_TYPE = f"{_OCI}.layer.v1.tar"
# Every kind of manifest that a tag can name.
MANIFEST_TYPES = (
    MANIFEST_TYPE,
    f"{_OCI}.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
SIGNATURE_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SIGNATURE_KEY = "dev.cosignproject.cosign/signature"
# Of an image that others sign too; more are not read.
MOST_SIGNATURES = 64
_MOST_LAYERS = 1000
_HINT = "the registry holds something that corefab did not write: look at it with skopeo"


class Descriptor(BaseModel):
    """A blob or manifest by its digest, as a manifest names it."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    media_type: Annotated[str, Field(max_length=200)]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0, lt=2**53)]
    annotations: dict[str, str] = Field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Write it as a part of a manifest."""
        return self.model_dump(by_alias=True, exclude_defaults=True)


class _Layered(BaseModel):
    """The part of a manifest that lists its layers."""

    layers: list[Descriptor]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest as the registry keeps it, byte for byte."""

    content: bytes = field(repr=False)
    media_type: str = MANIFEST_TYPE

    @property
    def digest(self) -> str:
        """The digest by which nodes pull it."""
        return digest(self.content)


def blob_of(data: bytes, media_type: str, **annotations: str) -> Descriptor:
    """Describe data as a blob."""
    return Descriptor(
        media_type=media_type, digest=digest(data), size=len(data), annotations=annotations
    )


def manifest_of(
    config: Descriptor, layers: Sequence[Descriptor], annotations: Mapping[str, str]
) -> Manifest:
    """Write a manifest; the same parts give the same bytes."""
    found: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.as_json(),
        "layers": [one.as_json() for one in layers],
    }
    if annotations:
        found["annotations"] = dict(annotations)
    return Manifest(_json(found))


def layers_of(manifest: bytes, what: str) -> tuple[Descriptor, ...]:
    """List the layers of a manifest; `what` names it in messages.

    Raises:
        DeployError: when it is no manifest with layers.
    """
    with reading(what, _HINT):
        found = _Layered.model_validate_json(manifest).layers
        if len(found) > _MOST_LAYERS:
            raise ValueError(f"it has more than {_MOST_LAYERS} layers")
        return tuple(found)


def signature_config(signatures: Sequence[Descriptor]) -> bytes:
    """Write the config of a manifest of signatures, as cosign does."""
    rootfs = {"type": "layers", "diff_ids": [one.digest for one in signatures]}
    return _json({"architecture": "", "os": "", "config": {}, "rootfs": rootfs})


def artifact(layer: Descriptor, plain: bytes) -> tuple[bytes, Manifest]:
    """Write config and manifest of one layer, of a tar that is no image."""
    rootfs = {"type": "layers", "diff_ids": [digest(plain)]}
    config = _json({"architecture": "", "os": "", "config": {}, "rootfs": rootfs})
    return config, manifest_of(blob_of(config, CONFIG_TYPE), [layer], {})


def signature_tag(image: str) -> str:
    """Name the tag under which an image's signatures are, by its digest."""
    return f"{image.replace(':', '-')}.sig"


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
