"""Every kind of archive comes down to the same config and the same layers."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.store.archive import Archive
from tests.unit.deploy.image.make import (
    digest,
    image,
    join_platforms,
    layer,
    write_archive,
    write_docker,
    write_docker_images,
    write_layout,
)

MADE = image([layer({"a": b"1" * 5000}), layer({"b": b"2"}), layer({"c": b"3"})])


def archives(folder: Path) -> dict[str, Archive]:
    plain = write_layout(MADE, folder / "plain")
    packed = write_layout(MADE, folder / "packed", packed="gzip")
    zstd = write_layout(MADE, folder / "zstd", packed="zstd")
    return {
        "folder": Archive("x", plain),
        "packed folder": Archive("x", packed),
        "zstd folder": Archive("x", zstd),
        "oci archive": Archive("x", write_archive(packed, folder / "oci.tar")),
        "zstd archive": Archive("x", write_archive(zstd, folder / "zstd.tar")),
        "docker archive": Archive("x", write_docker(MADE, folder / "docker.tar")),
    }


KINDS = ("folder", "packed folder", "zstd folder", "zstd archive", "oci archive", "docker archive")


@pytest.mark.parametrize("kind", KINDS)
def test_an_archive_gives_the_image_that_was_built(kind: str, tmp_path: Path) -> None:
    archive = archives(tmp_path)[kind]
    cache = Cache(tmp_path / "cache", 10**9)

    found = archive.image()
    content = archive.export(found, cache, found.layers)

    assert (found.id, list(found.layers)) == (MADE.id, MADE.diff_ids)
    if "zstd" not in kind:
        assert found.size == sum(map(len, MADE.layers))
    assert content.id == MADE.id
    assert [one.size for one in content.layers] == [len(one) for one in MADE.layers]
    for diff_id, tar in zip(MADE.diff_ids, MADE.layers, strict=True):
        file = cache.layer(diff_id)
        assert file is not None
        assert file.read_bytes() == tar


def test_only_wanted_layers_are_unpacked_once_the_image_is_known(tmp_path: Path) -> None:
    archive = archives(tmp_path)["packed folder"]
    cache = Cache(tmp_path / "cache", 10**9)
    found = archive.image()
    archive.export(found, cache, MADE.diff_ids)
    cache.remove_layers(frozenset(MADE.diff_ids))

    archive.export(found, cache, MADE.diff_ids[1:2])

    assert [cache.has(one) for one in MADE.diff_ids] == [False, True, False]


def test_one_of_several_images_is_chosen_by_its_tag(tmp_path: Path) -> None:
    other = image([layer({"z": b""})])
    folder = write_layout(MADE, tmp_path / "both", ref="one")
    write_layout(other, folder, ref="two")

    assert Archive("x", folder, "two").image().id == other.id
    with pytest.raises(DeployError, match=r"several images: one \(linux/amd64\), two \(") as caught:
        Archive("x", folder).image()
    assert "oci:FOLDER:@0" in caught.value.hint
    with pytest.raises(DeployError, match="no image in it matches three: one"):
        Archive("x", folder, "three").image()


@pytest.mark.parametrize(
    ("ref", "chosen"),
    [
        ("shop:1", 0),
        ("docker.io/library/shop:1", 0),
        ("localhost/shop", 1),
        ("localhost/shop:latest", 1),
        ("@0", 0),
        ("@2", 2),
    ],
)
def test_an_image_of_a_docker_archive_is_chosen_as_in_skopeo(
    ref: str, chosen: int, tmp_path: Path
) -> None:
    made = [image([layer({"a": bytes([number])})]) for number in range(3)]
    named = {("shop:1", "shop:2"): made[0], ("localhost/shop:latest",): made[1], (): made[2]}
    archive = Archive("x", write_docker_images(named, tmp_path / "x.tar"), ref)

    found = archive.image()

    assert found.id == made[chosen].id
    assert archive.save_command().ref == f"@{chosen}"


def test_a_docker_archive_of_several_images_is_refused_with_their_names(tmp_path: Path) -> None:
    named = {("shop:1", "shop:2"): MADE, (): image([layer({"z": b""})])}
    file = write_docker_images(named, tmp_path / "x.tar")

    with pytest.raises(DeployError, match=r"several images: shop:1 \(linux/amd64\), @1 \("):
        Archive("x", file).image()


ARM = image([layer({"a": b"arm"})], architecture="arm64")


@pytest.mark.parametrize("nested", [True, False])
def test_of_an_index_the_image_for_the_platform_is_chosen(tmp_path: Path, *, nested: bool) -> None:
    folder = write_layout(ARM, write_layout(MADE, tmp_path / "both"))
    if nested:
        join_platforms(folder)
    archive = Archive("x", write_archive(folder, tmp_path / "both.tar"))

    found = archive.image("linux/arm64")
    content = archive.export(found, Cache(tmp_path / "cache", 10**9), found.layers)

    assert (found.id, found.layers, content.id) == (ARM.id, tuple(ARM.diff_ids), ARM.id)
    assert found.platforms == ("linux/arm64", "linux/amd64")
    assert archive.image("linux/amd64").id == MADE.id
    assert archive.image("linux/s390x").platforms == ("linux/amd64", "linux/arm64")


def change_index(folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the manifests that a layout lists."""
    index = json.loads((folder / "index.json").read_bytes())
    change(index["manifests"])
    (folder / "index.json").write_text(json.dumps(index))


def described(folder: Path, content: object, **more: object) -> dict[str, Any]:
    """Write a blob into a layout and describe it."""
    data = json.dumps(content).encode()
    (folder / "blobs/sha256" / digest(data)[7:]).write_bytes(data)
    return {"digest": digest(data), "size": len(data), **more}


def test_attestations_and_signatures_beside_an_image_are_passed_over(tmp_path: Path) -> None:
    folder = write_layout(MADE, tmp_path / "one")
    none = described(folder, {"architecture": "unknown", "os": "unknown", "rootfs": {}})
    signed = {"mediaType": "application/vnd.oci.empty.v1+json", **described(folder, {})}
    beside = [
        described(folder, {"config": none, "layers": []}),
        described(folder, {"config": none, "layers": []}, platform=UNKNOWN),
        described(folder, {"config": signed, "layers": []}),
    ]

    change_index(folder, lambda listed: listed.__setitem__(slice(0, 0), beside))

    assert Archive("x", folder).image().id == MADE.id
    change_index(folder, lambda listed: listed.pop())
    with pytest.raises(DeployError, match="lists no image, only attestations"):
        Archive("x", folder).image()


UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def test_an_index_may_list_platforms_that_the_archive_lacks(tmp_path: Path) -> None:
    folder = write_layout(ARM, write_layout(MADE, tmp_path / "both"))
    join_platforms(folder)
    for blob in (folder / "blobs/sha256").iterdir():
        if json_or_none(blob).get("config", {}).get("digest") == MADE.id:
            blob.unlink()

    assert Archive("x", folder).image("linux/amd64").platforms == ("linux/arm64",)


def json_or_none(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def test_of_two_images_for_a_platform_in_an_index_the_first_is_taken(tmp_path: Path) -> None:
    other = image([layer({"z": b""})])
    folder = write_layout(other, write_layout(MADE, tmp_path / "both"))
    join_platforms(folder)

    assert Archive("x", folder).image("linux/amd64").id == MADE.id


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "is a foreign layer"),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", "is a foreign layer"),
        ("application/vnd.oci.image.layer.v1.tar+encrypted", "is encrypted"),
    ],
)
def test_a_layer_that_no_archive_can_have_is_named(kind: str, why: str, tmp_path: Path) -> None:
    folder = write_layout(MADE, tmp_path / "layout")
    manifest = folder / "blobs/sha256" / index_of(folder)["manifests"][0]["digest"][7:]
    content = json.loads(manifest.read_bytes())
    content["layers"][1]["mediaType"] = kind
    change_index(folder, lambda listed: listed.__setitem__(0, described(folder, content)))
    (folder / "blobs/sha256" / content["layers"][1]["digest"][7:]).unlink()

    with pytest.raises(DeployError, match=f"layer 2 of x {why}"):
        Archive("x", folder).image()


def index_of(folder: Path) -> dict[str, Any]:
    return json_or_none(folder / "index.json")


def test_an_archive_compressed_with_zstd_as_a_whole_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.tar.zst"
    file.write_bytes(zstandard.compress(write_docker(MADE, tmp_path / "x.tar").read_bytes()))

    with pytest.raises(DeployError, match="compressed with zstd as a whole") as caught:
        Archive("x", file).image()

    assert "zstd -d x.tar.zst" in caught.value.hint


def test_the_format_that_skopeo_calls_dir_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"schemaVersion": 2}')

    with pytest.raises(DeployError, match="has the format that skopeo calls dir"):
        Archive("x", tmp_path).image()


def test_how_a_container_starts_is_in_the_config_of_an_archive(tmp_path: Path) -> None:
    made = image([layer({"a": b"1"})], start={"Cmd": None, "User": "app"})

    found = Archive("x", write_layout(made, tmp_path)).image()

    assert (found.run.user, found.run.has_command) == ("app", False)


def test_the_platform_of_an_archive_is_in_its_config(tmp_path: Path) -> None:
    archive = Archive("x", write_docker(ARM, tmp_path / "docker.tar"))

    assert archive.image().platforms == ("linux/arm64",)


def test_a_damaged_layer_is_refused_by_its_digest(tmp_path: Path) -> None:
    folder = write_layout(MADE, tmp_path / "layout", packed="gzip")
    for blob in (folder / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        if data.startswith(b"\x1f\x8b"):
            blob.write_bytes(gzip.compress(gzip.decompress(data) + b"\0" * 512))

    archive = Archive("x", folder)
    with pytest.raises(DeployError, match="is damaged in the archive"):
        archive.export(archive.image(), Cache(tmp_path / "cache", 10**9), MADE.diff_ids)


@pytest.mark.parametrize("content", [b"", b"rubbish", b"\0" * 10240])
def test_what_is_no_archive_is_refused_with_its_name(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "x.tar"
    file.write_bytes(content)

    with pytest.raises(DeployError, match=r"the image x\.tar cannot be read"):
        Archive("x.tar", file).image()


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="the image gone cannot be read: No such file"):
        Archive("gone", tmp_path / "gone").image()
