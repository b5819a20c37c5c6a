"""A delta is built from what is kept here, and a node makes the image from what is sent."""

import io
import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.image.archive import Archive
from deploy.image.cache import Cache
from deploy.image.composite import BUILT, DELTA, Ready, image_of
from deploy.image.content import Content, diff_ids_of, hex_of
from deploy.image.delta_build import Anchor, Delta, TooLargeError, Workshop, listed
from deploy.image.delta_pieces import ByFile
from deploy.image.export import Export
from deploy.image.index import UnfitError
from deploy.image.parcel import Parcel
from deploy.image.pieces import cut
from deploy.plan.shipment import Base, Shipment
from tests.image.make import Made, digest, image, layer, noise, write_layout
from tests.image.overlay import assert_same, show
from tests.image.test_parcel import Node

pytestmark = pytest.mark.program
MIB = 1 << 20
FILES = {f"lib/f{number}": noise(MIB, number) for number in range(24)}


@dataclass
class Case:
    """An image that the node has, and a workshop for each image that follows it."""

    old: Made
    folder: Path
    opened: ExitStack
    made: Workshop = field(init=False)
    wire: int = 0

    @property
    def cache(self) -> Cache:
        return Cache(self.folder / "cache", 10**10)

    @property
    def anchor(self) -> Anchor:
        return Anchor(self.old.id, tuple(self.old.diff_ids))

    def workshop(self, made: Made) -> Workshop:
        source = Archive("new", write_layout(made, self.folder / made.id[7:19]))
        return Workshop(self.opened.enter_context(Export(source, self.cache)))

    def know(self) -> None:
        """Read the anchor, as it was read when it was sent."""
        self.workshop(self.old).learn()

    def build(self, made: Made) -> Delta:
        """Make the delta from the anchor to an image."""
        self.made = self.workshop(made)
        return self.made.build(self.anchor)

    def arrive(self, delta: Delta) -> bytes:
        """Send a delta; give the layer that the node has then."""
        bases = {delta.diff_id: Base(delta.like, self.old.id)} if delta.like else {}
        parcel = Parcel(
            Shipment(image_of(delta.content, "new"), (delta.diff_id,), bases),
            Ready(delta.content, self.made.export),
            lambda _: None,
            cutter=ByFile(delta.marks) if delta.like else cut,
            prelude=listed(delta, self.anchor),
        )
        node = Node()
        sent = b"".join(parcel.parts())
        if delta.like:
            sent = self._without_list(sent, delta, node)
        node.take(sent, self.folder)
        self.wire = len(sent)
        return node.layers[hex_of(delta.diff_id)]

    def _without_list(self, sent: bytes, delta: Delta, node: Node) -> bytes:
        """Do what a node does with the list of likes: put the files one after another."""
        stream = io.BytesIO(sent)
        word, image_id, name, count = stream.readline().decode().split()
        assert (word, image_id) == ("files", hex_of(self.old.id))
        names = stream.read(int(count)).decode(errors="surrogateescape").split("\0")[:-1]
        shown = show(self.old.layers).things
        contents = [shown[one.removeprefix("./")][-1] for one in names]
        assert all(isinstance(one, bytes) for one in contents)
        node.bases[name] = b"".join(one for one in contents if isinstance(one, bytes))
        return stream.read()


@pytest.fixture
def case(tmp_path: Path, program: Callable[[str], str]) -> Iterator[Case]:
    program("zstd")
    with ExitStack() as opened:
        made = Case(image([layer(FILES), layer({"top": b"1"})]), tmp_path, opened)
        made.know()
        yield made


def changed(files: Mapping[str, bytes], label: str = "new") -> Made:
    return image([layer(files), layer({"top": b"1"})], label=label)


def test_a_small_change_is_sent_for_itself(case: Case) -> None:
    new = changed(FILES | {"lib/small": b"new"})

    delta = case.build(new)
    arrived = case.arrive(delta)

    assert not delta.like
    assert case.wire < 3000
    assert_same(show([*case.old.layers, arrived]), show(new.layers))


def test_changed_files_are_compared_with_those_before_wherever_they_were(case: Case) -> None:
    """One changed, one moved, one has a new version in its name; one is like none."""
    files = dict(FILES)
    files["lib/f1"] = files["lib/f1"][:5000] + b"new" + files["lib/f1"][5000:]
    files["moved"] = files.pop("lib/f2")
    files["lib/f99999"] = FILES["lib/f9"] + b"more"
    files["zoo"] = noise(100_000, 77)
    new = changed(files)

    delta = case.build(new)
    arrived = case.arrive(delta)

    assert delta.likes[0] == "lib/f1"
    assert "lib/f2" in delta.likes
    assert case.wire < 100_000 + 1.2 * MIB
    assert_same(show([*case.old.layers, arrived]), show(new.layers))


def test_more_than_a_piece_of_changes_is_cut_and_compared_file_by_file(case: Case) -> None:
    old = image([layer(FILES), layer({"ballast": noise(80 * MIB, 5)})])
    big = Case(old, case.folder / "big", case.opened)
    big.know()
    files = {path: text[:100] + b"x" + text[100:] for path, text in FILES.items()}
    new = image([layer(files), layer({"ballast": noise(80 * MIB, 5)})])

    delta = big.build(new)
    arrived = big.arrive(delta)

    assert big.wire < 50_000
    assert digest(arrived) == delta.diff_id
    assert_same(show([*old.layers, arrived]), show(new.layers))


def test_what_changed_too_much_is_no_delta(case: Case) -> None:
    new = changed({path: text[::-1] for path, text in FILES.items()})

    with pytest.raises(TooLargeError, match="25 MB changed, more than a quarter"):
        case.build(new)


def test_an_anchor_that_was_never_read_here_carries_no_delta(case: Case) -> None:
    unknown = Anchor(case.old.id, ("sha256:" + "f" * 64,))

    with pytest.raises(UnfitError, match="layer ffffffffffff of the anchor is not known here"):
        case.workshop(changed(FILES)).build(unknown)


def test_layers_of_the_anchor_may_have_left_the_cache(case: Case) -> None:
    """Their lists stay: what changed is known, only there is nothing to compare it with."""
    case.cache.drop(frozenset(case.old.diff_ids))
    new = changed(FILES | {"lib/f3": noise(MIB, 99)})

    delta = case.build(new)

    assert not delta.likes
    assert_same(show([*case.old.layers, case.arrive(delta)]), show(new.layers))


def test_what_is_damaged_in_the_cache_gets_into_no_delta(case: Case) -> None:
    """A node proves a delta by its own digest alone: what it is made of is proven here."""
    new = changed(FILES | {"lib/small": b"right" * 1000})
    workshop = case.workshop(new)
    workshop.learn()
    file = case.cache.layer(new.diff_ids[0])
    assert file is not None
    file.write_bytes(file.read_bytes().replace(b"right" * 1000, b"wrong" * 1000))

    with pytest.raises(OSError, match="lib/small is damaged in the cached layer"):
        workshop.build(case.anchor)

    for one in (case.cache.folder / "lists").iterdir():
        one.unlink()
    with pytest.raises(UnfitError, match="is damaged in the cache"):
        case.workshop(new).build(case.anchor)


def test_the_image_there_says_what_was_built_but_for_its_layers(case: Case) -> None:
    new = changed(FILES | {"lib/small": b"new"})

    content = case.build(new).content

    found, built = json.loads(content.config), json.loads(new.config)
    labels = found["config"].pop("Labels")
    delta = diff_ids_of(content.config)[-1]
    assert labels == {"made": "new", BUILT: new.id, DELTA: delta}
    assert diff_ids_of(content.config) == (*case.old.diff_ids, delta)
    assert found["config"] == {"Cmd": built["config"]["Cmd"]}
    assert "history" not in found
    assert [one.size for one in content.layers[:2]] == [len(one) for one in case.old.layers]


def test_a_delta_is_the_same_each_time_so_that_it_can_go_on(case: Case) -> None:
    new = changed(FILES | {"lib/small": b"new"})
    once: Content = case.build(new).content

    assert case.build(new).content == once


def test_nodes_with_the_same_anchor_share_one_delta_which_goes_in_the_end(case: Case) -> None:
    new = changed(FILES | {"lib/f3": noise(MIB, 99)})
    with ExitStack() as opened:
        shared = Case(case.old, case.folder, opened).workshop(new)
        with ThreadPoolExecutor(2) as nodes:
            one, other = nodes.map(shared.build, [case.anchor, case.anchor])
        held = [case.cache.holds(name) for name in (one.diff_id, one.like)]

    assert one is other
    assert held == [True, True]
    assert not any(case.cache.holds(name) for name in (one.diff_id, one.like))
