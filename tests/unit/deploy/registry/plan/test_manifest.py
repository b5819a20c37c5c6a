"""Manifests are written the same each time; those of others are read with care."""

import json

import pytest

from deploy.errors import DeployError
from deploy.registry.plan.manifest import (
    SIGNATURE_TYPE,
    Descriptor,
    blob_of,
    layers_of,
    manifest_of,
    signature_tag,
)

LAYER = blob_of(b"layer", SIGNATURE_TYPE, note="x")
CONFIG = blob_of(b"config", "application/vnd.oci.image.config.v1+json")


def test_the_same_parts_give_the_same_manifest() -> None:
    first, second = (manifest_of(CONFIG, [LAYER], {"a": "b"}) for _ in range(2))

    assert first == second
    assert first.digest == second.digest
    assert layers_of(first.content, "it") == (LAYER,)


def test_a_signature_lies_under_the_digest_of_its_image() -> None:
    assert signature_tag("sha256:" + "a" * 64) == "sha256-" + "a" * 64 + ".sig"


def with_layer(**parts: object) -> bytes:
    return json.dumps({"layers": [LAYER.as_json() | parts]}).encode()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{}", b"<html>", b"[" * 10_000, b'{"layers":{}}'),
        *(with_layer(digest="sha256:../../etc"), with_layer(digest="md5:" + "a" * 32)),
        *(with_layer(size=-1), with_layer(size=2**60), with_layer(mediaType="x" * 300)),
        json.dumps({"layers": [LAYER.as_json()] * 1001}).encode(),
    ],
)
def test_what_is_no_manifest_is_named(content: bytes) -> None:
    with pytest.raises(DeployError, match=r"the signatures .*cannot be read"):
        layers_of(content, "the signatures")


def test_what_a_later_version_adds_to_a_blob_is_passed_over() -> None:
    assert layers_of(with_layer(artifactType="x"), "it") == (Descriptor(**LAYER.model_dump()),)
