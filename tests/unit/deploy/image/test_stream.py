"""What is sent makes the image on the other side, from wherever an earlier transfer was cut."""

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

import pytest

from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import hex_of
from deploy.image.plan.bases import Base, TransferPlan
from deploy.image.plan.image import Image
from deploy.image.store.archive import Archive
from deploy.image.stream import ImageStream
from deploy.node.state import Partial
from tests.unit.deploy.image.make import Made, image, layer, noise, write_layout

pytestmark = pytest.mark.program
MIB = 1 << 20
OLD = {f"f{number}": noise(MIB, number) for number in range(20)}
NEW = OLD | {"f5": OLD["f5"][:1000] + b"new" + OLD["f5"][1000:], "f15": noise(MIB, 99)}


@dataclass
class Node:
    """Reads what is sent as the script on a node does."""

    bases: dict[str, bytes] = field(default_factory=dict)
    layers: dict[str, bytes] = field(default_factory=dict)
    begun: bytes = b""
    described: dict[str, bytes] = field(default_factory=dict)
    bases_asked: list[list[str]] = field(default_factory=list)

    def take(self, sent: bytes, folder: Path) -> None:  # noqa: C901, PLR0912 -- a case a line
        stream = io.BytesIO(sent)
        made, old = b"", b""
        while words := stream.readline().decode().split():
            match words:
                case ["base", *names]:
                    self.bases_asked.append(names)
                case ["image", count]:
                    with tarfile.open(fileobj=io.BytesIO(stream.read(int(count)))) as tar:
                        for entry in tar:
                            file = tar.extractfile(entry)
                            assert file is not None
                            self.described[entry.name] = file.read()
                case ["layer", name, at, base]:
                    made = self.layers.pop(name, b"")[: int(at)]
                    old = self.bases.get(base, b"")
                case ["copy", start, count]:
                    made += old[int(start) : int(start) + int(count)]
                case ["plain" | "patch" as kind, _, count, held, start, length, makes]:
                    data = self.begun[: int(held)] + stream.read(int(count) - int(held))
                    window = old[int(start) : int(start) + int(length)]
                    part = unpacked(data, window if kind == "patch" else None, folder)
                    assert len(part) == int(makes)
                    made += part
                case ["raw", count]:
                    made += stream.read(int(count))
                case ["done", name]:
                    self.layers[name] = made
                case ["end"]:
                    assert not stream.read()
                case _:
                    raise AssertionError(words)


def unpacked(data: bytes, window: bytes | None, folder: Path) -> bytes:
    words = ["zstd", "-dqc", "--long=27"]
    if window is not None:
        (folder / "window").write_bytes(window)
        words.append(f"--patch-from={folder / 'window'}")
    return subprocess.run(words, input=data, check=True, capture_output=True).stdout


@dataclass
class Case:
    made: Made
    old: Made
    folder: Path
    told: list[tuple[str, int, int]] = field(default_factory=list)
    opened: ExitStack = field(default_factory=ExitStack)

    def parcel(self, *, held: Partial | None = None, patched: bool = True) -> ImageStream:
        cache = Cache(self.folder / "cache", 10**10)
        before = Archive("old", write_layout(self.old, self.folder / "old"))
        before.export(before.image(), cache, self.old.diff_ids)
        source = Archive("new", write_layout(self.made, self.folder / "new"))
        base = Base(self.old.diff_ids[0], self.old.id, tuple(self.old.diff_ids))
        return ImageStream(
            TransferPlan(
                Image("new", self.made.id, 1, tuple(self.made.diff_ids)),
                tuple(self.made.diff_ids),
                {self.made.diff_ids[0]: base} if patched else {},
            ),
            self.opened.enter_context(Export(source, cache)),
            lambda *sent: self.told.append(sent),
            held or Partial(),
        )

    def node(self) -> Node:
        return Node({hex_of(self.old.diff_ids[0]): self.old.layers[0]})

    def arrived(self, node: Node) -> bool:
        return node.layers == dict(
            zip(map(hex_of, self.made.diff_ids), self.made.layers, strict=True)
        )


@pytest.fixture
def case(tmp_path: Path, program: Callable[[str], str]) -> Iterator[Case]:
    program("zstd")
    made = Case(image([layer(NEW)]), image([layer(OLD), layer({"x": b""})]), tmp_path)
    with made.opened:
        yield made


@pytest.mark.parametrize("patched", [True, False])
def test_what_is_sent_makes_each_layer(case: Case, patched: bool) -> None:  # noqa: FBT001
    sent = b"".join(case.parcel(patched=patched).parts())
    node = case.node()

    node.take(sent, case.folder)

    assert case.arrived(node)
    assert node.described[f"blobs/sha256/{hex_of(case.made.id)}"] == case.made.config
    assert len(sent) < 1.1 * MIB if patched else len(sent) > 20 * MIB


def test_what_cannot_be_compressed_is_sent_as_it_is(case: Case) -> None:
    sent = b"".join(case.parcel(patched=False).parts())
    node = case.node()

    node.take(sent, case.folder)

    assert b"\nraw " in sent
    assert case.arrived(node)


def test_a_base_is_asked_for_with_the_layers_that_are_not_wanted(case: Case) -> None:
    node = case.node()
    node.take(b"".join(case.parcel().parts()), case.folder)

    assert node.bases_asked == [[hex_of(case.old.id), hex_of(case.old.diff_ids[1])]]


def test_no_base_lies_empty_for_another_image_that_is_written_out_first(case: Case) -> None:
    one, other, shared, new, newer = ("sha256:" + letter * 64 for letter in "abcde")
    parcel = replace(
        case.parcel(),
        plan=TransferPlan(
            Image("new", case.made.id, 1, (new, newer)),
            (new, newer),
            {
                new: Base(one, "sha256:" + "1" * 64, (one, shared)),
                newer: Base(shared, "sha256:" + "2" * 64, (other, shared)),
            },
        ),
    )

    lines = list(takewhile(lambda part: not part.startswith(b"image"), parcel.parts()))

    assert b"".join(lines) == f"base {'1' * 64}\n".encode()


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("patched", [True, False])
def test_a_layer_goes_on_from_any_byte(case: Case, share: float, patched: bool) -> None:  # noqa: FBT001
    name, whole = hex_of(case.made.diff_ids[0]), case.made.layers[0]
    at = int(len(whole) * share)
    node = case.node()
    node.layers[name] = whole[:at]
    parcel = case.parcel(held=Partial(layers={case.made.diff_ids[0]: at}), patched=patched)

    sent = b"".join(parcel.parts())
    node.take(sent, case.folder)

    assert case.arrived(node)
    if not patched:
        assert len(sent) < len(whole) - at + 0.1 * MIB


@pytest.fixture
def text_case(case: Case) -> Case:
    """Send content that can be compressed."""
    texts = {f"f{number}": noise(MIB // 2, number).hex().encode() for number in range(20)}
    return replace(case, made=image([layer(texts)]))


def begun_piece(case: Case) -> tuple[str, bytes]:
    """Find the first chunk that has bytes: its key, and its bytes."""
    stream = io.BytesIO(b"".join(case.parcel(patched=False).parts()))
    while words := stream.readline().decode().split():
        if words[0] == "image":
            stream.read(int(words[1]))
        if words[0] == "plain":
            return words[1], stream.read(int(words[2]))
    raise AssertionError


def test_a_begun_piece_goes_on_from_its_last_byte(text_case: Case) -> None:
    case = text_case
    key, data = begun_piece(case)
    half = data[: len(data) // 2]
    held = Partial(key=key, bytes=len(half), sha256=hashlib.sha256(half).hexdigest())
    node = case.node()
    node.begun = half

    sent = b"".join(case.parcel(held=held, patched=False).parts())
    node.take(sent, case.folder)

    assert case.arrived(node)
    assert len(sent) < 21 * MIB - len(half)


def test_a_begun_piece_of_other_bytes_is_sent_from_its_start(text_case: Case) -> None:
    case = text_case
    key, data = begun_piece(case)
    half = b"!" + data[1 : len(data) // 2]
    held = Partial(key=key, bytes=len(half), sha256=hashlib.sha256(half).hexdigest())
    node = case.node()
    node.begun = half

    node.take(b"".join(case.parcel(held=held, patched=False).parts()), case.folder)

    assert case.arrived(node)


def test_what_is_told_adds_up_to_the_layer(case: Case) -> None:
    sent = sum(map(len, case.parcel().parts()))

    assert sum(covered for _, _, covered in case.told) == len(case.made.layers[0])
    assert 0 < sum(wire for _, wire, _ in case.told) <= sent
