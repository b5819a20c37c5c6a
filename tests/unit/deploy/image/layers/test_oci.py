"""An image's manifest names uncompressed layers, and its id is the digest of its config."""

import json

import pytest

from deploy.errors import DeployError
from deploy.image.layers.oci import compose, hex_of, read
from tests.unit.deploy.image.make import Made, digest, image, layer

MADE = image([layer({"a": b"1"}), layer({"b": b"2"})])
SIZES = [len(one) for one in MADE.layers]


def test_a_manifest_names_each_layer_by_the_digest_of_its_tar() -> None:
    content = compose(MADE.config, SIZES, {})
    manifest = json.loads(content.manifest)

    assert content.id == MADE.id
    assert [one["digest"] for one in manifest["layers"]] == MADE.diff_ids
    assert json.loads(content.index)["manifests"][0]["digest"] == digest(content.manifest)
    assert [one.made_by for one in content.layers] == ["line 0", "line 1"]


def test_what_a_manifest_is_read_from_is_what_was_composed() -> None:
    content = compose(MADE.config, SIZES, {})

    assert read(content.manifest, content.config) == content


def test_an_image_of_dockers_kind_stays_one() -> None:
    kind = {"config": {"mediaType": "application/vnd.docker.container.image.v1+json"}}
    manifest = json.loads(compose(MADE.config, SIZES, kind).manifest)

    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert {one["mediaType"] for one in manifest["layers"]} == {
        "application/vnd.docker.image.rootfs.diff.tar"
    }


def test_annotations_are_kept() -> None:
    content = compose(MADE.config, SIZES, {"annotations": {"a": "b"}})

    assert json.loads(content.manifest)["annotations"] == {"a": "b"}


def test_a_history_that_does_not_speak_of_each_layer_says_nothing() -> None:
    config = json.loads(MADE.config)
    config["history"] = config["history"][:1]
    made = Made(json.dumps(config).encode(), MADE.layers)

    assert [one.made_by for one in compose(made.config, SIZES, {}).layers] == ["", ""]


@pytest.mark.parametrize(
    "text", ["", "sha256:", "../../etc/passwd", "a" * 63, "sha256:" + "G" * 64]
)
def test_what_is_no_digest_never_names_a_file(text: str) -> None:
    with pytest.raises(DeployError, match="not the SHA-256 digest"):
        hex_of(text)


@pytest.mark.parametrize("config", [b"", b"[]", b"{}", b'{"rootfs": 1}'])
def test_a_config_without_layers_is_refused(config: bytes) -> None:
    with pytest.raises(DeployError, match="config names no layers"):
        compose(config, [], {})


def test_a_manifest_of_another_image_is_refused() -> None:
    other = image([layer({"c": b"3"})])

    with pytest.raises(DeployError, match="do not belong together"):
        read(compose(MADE.config, SIZES, {}).manifest, other.config)
