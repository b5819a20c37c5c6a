"""Every kind of archive comes down to the same config and the same layers."""

import gzip
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.store.archive import Archive
from tests.unit.deploy.image.make import (
    image,
    join_platforms,
    layer,
    write_archive,
    write_docker,
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
    with pytest.raises(DeployError, match="2 images match the layout"):
        Archive("x", folder).image()
    with pytest.raises(DeployError, match="0 images match three"):
        Archive("x", folder, "three").image()


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
    with pytest.raises(DeployError, match="the image gone cannot be read: FileNotFoundError"):
        Archive("gone", tmp_path / "gone").image()
