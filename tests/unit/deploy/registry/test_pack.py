"""A layer becomes the same blob each time."""

import gzip
import io
from pathlib import Path

import pytest
import zstandard

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import digest
from deploy.registry import blob_store
from deploy.registry.blob_store import BlobStore
from deploy.registry.pack import pack
from deploy.registry.plan.manifest import blob_of
from tests.unit.deploy.image.make import noise

TAR = noise(3_000_000)[:1_500_000] * 2
BLOB = blob_of(b"packed", "application/vnd.oci.image.layer.v1.tar+zstd")
ONE, TWO = (digest(data) for data in (b"one", b"two"))


def packed(folder: Path, form: str, data: bytes = TAR) -> bytes:
    (folder / "layer").write_bytes(data)
    blob = pack(digest(data), folder / "layer", folder / "blob", form)
    assert blob
    content = (folder / "blob").read_bytes()
    assert (blob.digest, blob.size) == (digest(content), len(content))
    assert blob.media_type.endswith(f"tar+{form}")
    return content


@pytest.mark.parametrize("form", ["gzip", "zstd"])
def test_a_layer_is_compressed_the_same_each_time(tmp_path: Path, form: str) -> None:
    assert packed(tmp_path, form) == packed(tmp_path, form)


@pytest.mark.parametrize("data", [b"", b"x", TAR])
def test_a_compressed_layer_unpacks_to_itself(tmp_path: Path, data: bytes) -> None:
    zstd = io.BytesIO(packed(tmp_path, "zstd", data))

    assert gzip.decompress(packed(tmp_path, "gzip", data)) == data
    assert zstandard.ZstdDecompressor().stream_reader(zstd).read() == data


def test_a_tar_that_is_not_the_layer_gives_no_blob(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(TAR[1:])

    assert pack(digest(TAR), tmp_path / "layer", tmp_path / "blob", "gzip") is None


def test_what_a_layer_became_is_known_for_each_format(tmp_path: Path) -> None:
    cache = Cache(tmp_path, 0)
    BlobStore(cache, "zstd").add(ONE, BLOB, "registry.example.org/a")

    found = BlobStore(cache, "zstd").load(ONE)
    assert found
    assert found.blob == BLOB
    assert BlobStore(cache, "gzip").load(ONE) is None
    assert BlobStore(cache, "zstd").load(TWO) is None


def test_the_latest_other_repository_of_the_same_registry_is_named(tmp_path: Path) -> None:
    store = BlobStore(Cache(tmp_path, 0), "zstd:chunked")
    for place in ("r.example.org/a", "r.example.org/b/c", "s.example.org/d", "r.example.org/e"):
        store.add(ONE, BLOB, place)

    found = store.load(ONE)
    assert found
    assert found.other("r.example.org", "r.example.org/e") == "b/c"
    assert found.other("s.example.org", "s.example.org/d") == ""
    assert found.other("s.example.org", "s.example.org/new") == "d"


def test_places_of_another_blob_of_the_layer_are_forgotten(tmp_path: Path) -> None:
    store = BlobStore(Cache(tmp_path, 0), "zstd")
    store.add(ONE, BLOB, "r.example.org/a")
    store.add(ONE, blob_of(b"later", BLOB.media_type), "r.example.org/b")

    found = store.load(ONE)
    assert found
    assert found.places == ["r.example.org/b"]


def test_a_damaged_note_is_as_none(tmp_path: Path) -> None:
    store = BlobStore(Cache(tmp_path, 0), "zstd")
    store.add(ONE, BLOB, "r.example.org/a")
    [file] = (tmp_path / "blobs/zstd").iterdir()
    file.write_text("{")

    assert store.load(ONE) is None


def test_old_notes_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blob_store, "_MOST_BLOBS", 1)
    store = BlobStore(Cache(tmp_path, 0), "zstd")
    store.add(ONE, BLOB, "r.example.org/a")
    store.add(TWO, BLOB, "r.example.org/a")

    assert len(list((tmp_path / "blobs/zstd").iterdir())) == 1
