"""What podman's storage keeps is read in place, byte for byte, or not at all."""

import base64
import gzip
import io
import json
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.layers.partial_layer import PartialLayer
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.store.archive import Archive
from deploy.image.store.engines import Podman
from deploy.image.store.podman_storage import StoredLayer
from deploy.image.wire.chunks import cut_chunks
from deploy.image.wire.compress import Job
from deploy.image.wire.compressor import Compressor
from deploy.image.wire.rate_meter import RateMeter
from tests.images import remove_images
from tests.unit.deploy.image.make import Made, digest, entry, image, layer, noise, write_layout

ODD = "o\udcff"
LOWER = layer(
    {"a/b": noise(3_000_000), "empty": b"", "new line\n": b"1"},
    entry("a/link", tarfile.SYMTYPE, "b"),
)
UPPER = layer({ODD: noise(5_000, 2), ".wh.a": b""})


@dataclass
class Storage:
    """A folder laid out as podman's storage, and the program that would read it."""

    folder: Path
    made: Made
    exported: list[Collection[str]] = field(default_factory=list)

    def image(self, platform: str = "") -> Image:
        folders = tuple(
            str(self.folder / f"overlay/{n}/diff") for n in range(len(self.made.layers))
        )
        return Image("made", self.made.id, 1, tuple(self.made.diff_ids), folders=folders)

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        self.exported.append(wanted)
        archive = Archive("made", write_layout(self.made, self.folder / "layout"))
        return archive.export(image, cache, wanted)

    def save_command(self) -> SaveCommand:
        return SaveCommand(("true",), "oci-archive")

    def cache(self) -> Cache:
        return Cache(self.folder / "cache", 10**9)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    made = image([LOWER, UPPER])
    for number, tar in enumerate(made.layers):
        keep(tar, tmp_path / f"overlay/{number}/diff", tmp_path / "overlay-layers", str(number))
    place = tmp_path / "overlay-images" / made.id[7:]
    place.mkdir(parents=True)
    (place / f"={base64.b64encode(made.id.encode()).decode()}").write_bytes(made.config)
    (place / "manifest").write_text(json.dumps({"annotations": {"made": "so"}}))
    return Storage(tmp_path, made)


def keep(tar: bytes, folder: Path, records: Path, name: str) -> None:
    """Unpack a layer, and write down what else was in its tar."""
    folder.mkdir(parents=True)
    records.mkdir(exist_ok=True)
    lines, at = [], 0
    with tarfile.open(fileobj=io.BytesIO(tar), errors="surrogateescape") as opened:
        for member in opened:
            file = opened.extractfile(member) if member.isreg() else None
            if file is None or not member.size:
                continue
            lines.append(headers(tar[at : member.offset_data]))
            raw = base64.b64encode(member.name.encode(errors="surrogateescape")).decode()
            lines.append({"type": 1, "name_raw": raw, "size": member.size, "payload": "AA=="})
            at = member.offset_data + member.size
            path = folder / member.name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(file.read())
    lines.append(headers(tar[at:]))
    text = "\n".join(json.dumps(line) for line in lines)
    (records / f"{name}.tar-split.gz").write_bytes(gzip.compress(text.encode()))


def headers(data: bytes) -> dict[str, object]:
    return {"type": 2, "payload": base64.b64encode(data).decode()}


def test_a_file_of_the_image_is_read_in_place(storage: Storage) -> None:
    with Export(storage, storage.cache()) as export:
        assert export.read_file(ODD) == noise(5_000, 2)
        assert export.read_file("a/b") == noise(3_000_000)
        assert export.read_file("nowhere/at/all") == b""
        assert export.read_file("a") is None

    assert storage.exported == []


def test_layers_are_read_in_place_as_they_were_built(storage: Storage) -> None:
    cache = storage.cache()
    with Export(storage, cache) as export:
        content = export.content(storage.made.diff_ids)
        for diff_id, tar in zip(storage.made.diff_ids, storage.made.layers, strict=True):
            with export.layer(diff_id) as found:
                assert found[0 : len(found)] == tar

    assert content.id == storage.made.id
    assert json.loads(content.manifest)["annotations"] == {"made": "so"}
    assert not storage.exported
    assert cache.content(storage.made.id) == content
    assert all(map(cache.has, storage.made.diff_ids))


def test_a_layer_that_changed_where_it_is_kept_is_never_given_away_whole(storage: Storage) -> None:
    file = storage.folder / "overlay/0/diff/a/b"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    one = storage.made.diff_ids[0]

    with Export(storage, storage.cache()) as export:
        export.content([one])
        with export.layer(one) as found, pytest.raises(DeployError, match="have changed"):
            found[0 : len(found)]
        export.discard_layers()
        export.content([one])
        with export.layer(one) as found:
            assert found[0 : len(found)] == LOWER

    assert storage.exported == [[one]]


@pytest.mark.parametrize(
    "name",
    ["link/secret", "a/../link/secret", "../secret", "../../outside/secret", "secret-link", "pipe"],
)
def test_a_record_cannot_name_a_file_that_is_not_in_its_layer(tmp_path: Path, name: str) -> None:
    folder, outside = tmp_path / "overlay/0/diff", tmp_path / "outside"
    for made in (folder / "a", outside):
        made.mkdir(parents=True)
    for secret in (outside / "secret", folder.parent / "secret"):
        secret.write_bytes(b"secret")
    (folder / "link").symlink_to(outside)
    (folder / "secret-link").symlink_to(outside / "secret")
    os.mkfifo(folder / "pipe")
    record = tmp_path / "record"
    record.write_bytes(gzip.compress(json.dumps({"type": 1, "name": name, "size": 6}).encode()))

    with pytest.raises((OSError, ValueError)):
        list(StoredLayer(folder, record).blocks())


def test_a_record_may_write_a_file_of_its_layer_in_any_way(tmp_path: Path) -> None:
    folder, record = tmp_path / "diff", tmp_path / "record"
    (folder / "a").mkdir(parents=True)
    (folder / "a/b").write_bytes(b"inside")
    lines = [{"type": 1, "name": name, "size": 6} for name in ("./a/b", "a//b", "/a/b")]
    record.write_bytes(gzip.compress("\n".join(map(json.dumps, lines)).encode()))

    assert b"".join(StoredLayer(folder, record).blocks()) == b"inside" * 3


@pytest.mark.parametrize("gone", ["overlay-images", "overlay-layers/1.tar-split.gz", "overlay/0"])
def test_a_storage_that_is_not_as_expected_is_left_to_its_program(
    storage: Storage, gone: str
) -> None:
    (storage.folder / gone).rename(storage.folder / "gone")

    with Export(storage, storage.cache()) as export:
        export.content(storage.made.diff_ids)

    assert storage.exported == [storage.made.diff_ids]
    assert all(map(storage.cache().has, storage.made.diff_ids))


def test_only_the_layers_that_are_wanted_are_kept(storage: Storage) -> None:
    cache = storage.cache()
    with Export(storage, cache) as export:
        export.content(())
    wanted = storage.made.diff_ids[1:]

    with Export(storage, cache) as export:
        export.content(wanted)
        with export.layer(wanted[0]) as found:
            assert found[0 : len(found)] == UPPER

    assert not storage.exported


def test_the_first_bytes_can_be_had_before_the_last_and_the_last_only_when_proven(
    tmp_path: Path,
) -> None:
    more, asked = Event(), Event()

    def blocks() -> Iterator[bytes]:
        yield LOWER[:1000]
        asked.set()
        more.wait(60)
        yield LOWER[1000:]

    arriving = PartialLayer(digest(LOWER), len(LOWER))
    with ThreadPoolExecutor(1) as beside:
        done = beside.submit(arriving.write, blocks(), tmp_path / "layer")
        assert asked.wait(60)
        assert arriving[0:1000] == LOWER[:1000]
        proven_before = arriving.complete
        more.set()
        done.result()
    assert (proven_before, arriving.complete) == (False, True)
    assert arriving[0 : len(LOWER)] == LOWER
    arriving.close()


@pytest.mark.program
def test_several_nodes_get_the_same_compressed_pieces_made_once(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    program("zstd")
    read: list[slice] = []

    class Counted(bytes):
        def __getitem__(self, part: slice) -> bytes:  # type: ignore[override]
            read.append(part)
            return super().__getitem__(part)

    data = Counted(noise(20 << 20).hex().encode())
    compressor = Compressor(Cache(tmp_path, 0), nodes=2)
    job = Job(digest(b""), data)

    one = list(compressor.compress_in_order(job, cut_chunks(data, b""), RateMeter()))
    other = list(compressor.compress_in_order(job, cut_chunks(data, b""), RateMeter()))

    assert [packed.file for packed in one] == [packed.file for packed in other]
    assert len(read) == len(one) == 3
    assert all(packed.file and packed.file.exists() for packed in one)
    compressor.close()
    assert not any(tmp_path.iterdir())


@dataclass
class ReadOnly:
    """An image in podman's storage that no program writes out."""

    podman: Podman

    def image(self, platform: str = "") -> Image:
        return self.podman.image()

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        raise AssertionError("podman was asked to write layers")

    def save_command(self) -> SaveCommand:
        return self.podman.save_command()


@pytest.mark.program
def test_an_image_in_the_storage_of_podman_itself_is_read_in_place(
    tmp_path: Path, program: Callable[[str], str]
) -> None:
    program("podman")
    made = image([LOWER, layer({f"d/{number}": noise(999, number) for number in range(500)})])
    place = write_layout(made, tmp_path / "layout")
    subprocess.run(["podman", "pull", "-q", f"oci:{place}"], check=True, capture_output=True)
    try:
        with Export(ReadOnly(Podman(made.id)), Cache(tmp_path / "cache", 10**9)) as export:
            export.content(made.diff_ids)
            for diff_id, tar in zip(made.diff_ids, made.layers, strict=True):
                with export.layer(diff_id) as found:
                    assert found[0 : len(found)] == tar
    finally:
        remove_images(made.id)


# As on macOS: podman is a client, and the storage is in another machine.
ELSEWHERE = """
mount -t tmpfs tmpfs {place}
exec podman --root {place}/root --runroot {place}/run --storage-driver overlay \\
  system service --time 0 unix://{place}.sock
"""


@pytest.fixture
def podman_elsewhere(
    tmp_path: Path, program: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Put a client in podman's place whose storage no path of this machine leads to."""
    podman = program("podman")
    if os.geteuid():
        pytest.skip("another machine's storage is played by a mount, which needs root")
    # A socket's path has at most 104 bytes.
    with tempfile.TemporaryDirectory(prefix="podman-") as place:
        client = tmp_path / "podman"
        client.write_text(f'#!/bin/sh\nexec {podman} --remote --url unix://{place}.sock "$@"\n')
        client.chmod(0o700)
        words = ["unshare", "--mount", "sh", "-ec", ELSEWHERE.format(place=place)]
        with subprocess.Popen(words, stderr=subprocess.PIPE) as service:
            try:
                while subprocess.run([client, "info"], capture_output=True, check=False).returncode:
                    assert service.poll() is None, service.communicate()[1]
                monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
                yield
            finally:
                service.terminate()
                Path(f"{place}.sock").unlink(missing_ok=True)


@pytest.mark.program
@pytest.mark.usefixtures("podman_elsewhere")
def test_an_image_of_a_podman_that_answers_only_over_its_socket_is_written_out(
    tmp_path: Path,
) -> None:
    made = image([LOWER, UPPER])
    file = tmp_path / "made.tar"
    with tarfile.open(file, "w") as archive:
        archive.add(write_layout(made, tmp_path / "layout"), ".")
    subprocess.run(["podman", "load", "-qi", file], check=True, capture_output=True)

    with Export(Podman(made.id), Cache(tmp_path / "cache", 10**9)) as export:
        assert export.content(made.diff_ids).id == made.id
        for diff_id, tar in zip(made.diff_ids, made.layers, strict=True):
            with export.layer(diff_id) as found:
                assert found[0 : len(found)] == tar


def test_a_layer_that_cannot_be_read_in_place_comes_whole_from_its_program(
    storage: Storage,
) -> None:
    file = storage.folder / "overlay/0/diff/a/b"
    file.write_bytes(file.read_bytes()[:-1] + b"!")

    with Export(storage, storage.cache()) as export:
        export.cache_layers(storage.made.diff_ids)

    assert all(map(storage.cache().has, storage.made.diff_ids))
    assert storage.exported == [storage.made.diff_ids]


def test_sizes_that_nothing_else_tells_are_found_by_reading_the_layers(tmp_path: Path) -> None:
    made = image([LOWER, UPPER])
    archive = Archive("made", write_layout(made, tmp_path / "layout"))

    with Export(archive, Cache(tmp_path / "cache", 10**9)) as export:
        assert export.image.sizes == {}
        export.measure(made.diff_ids[1:])

        assert export.image.sizes[made.diff_ids[1]] == len(UPPER)
