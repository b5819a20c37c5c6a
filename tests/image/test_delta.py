"""A delta on its anchor shows the same as the image that it stands for."""

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from deploy.image.delta import difference, write
from deploy.image.entry import nanoseconds
from deploy.image.index import Index, UnfitError, scan
from deploy.image.tree import Tree, flatten
from tests.examples import examples
from tests.image.make import digest, entry, layer
from tests.image.overlay import assert_same, show
from tests.image.trees import LAYERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("layers")


def tree(layers: Sequence[bytes], folder: Path) -> Tree:
    return flatten(index(one, folder) for one in layers)


def index(layer: bytes, folder: Path) -> Index:
    file = folder / digest(layer)[7:]
    file.write_bytes(layer)
    return Index(digest(layer), len(layer), tuple(scan(layer, "made")))


def delta(old: Sequence[bytes], new: Sequence[bytes], folder: Path) -> bytes:
    """Make the layer that is put on the old image's."""
    before, after = tree(old, folder), tree(new, folder)
    out = io.BytesIO()
    made, _ = write(difference(before, after), lambda one: folder / one[7:], out, before)
    assert made == digest(out.getvalue())
    return out.getvalue()


def names(tar: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(tar)) as packed:
        return packed.getnames()


@settings(max_examples=examples(100, 500))
@given(st.lists(LAYERS, max_size=2), st.lists(LAYERS, max_size=2), st.lists(LAYERS, max_size=2))
def test_a_delta_on_any_image_makes_any_other(
    folder: Path, shared: list[bytes], old: list[bytes], new: list[bytes]
) -> None:
    before, after = [*shared, *old], [*shared, *new]
    try:
        made = delta(before, after, folder)
    except UnfitError as error:
        event(f"unfit: {error.message.split(chr(39))[0]}")
        return
    event(f"{min(len(names(made)), 10)} entries")

    assert_same(show([*before, made]), show(after))


@given(st.lists(LAYERS, min_size=1, max_size=3))
def test_an_image_laid_flat_shows_what_a_node_shows(folder: Path, layers: list[bytes]) -> None:
    try:
        found = tree(layers, folder)
    except UnfitError:
        return
    shown = show(layers)

    times = {path: node.entry.mtime for path, node in found.nodes.items() if path}
    assert times.keys() == shown.times.keys()
    assert {path: nanoseconds(time) for path, time in times.items()} == {
        path: nanoseconds(time or "") for path, time in shown.times.items()
    }
    assert {frozenset(group) for group in found.groups().values()} == shown.groups
    for path, node in found.nodes.items():
        entry = node.entry
        assert shown.things[path][1:3] == (
            0 if entry.kind == "l" else entry.mode,
            (entry.uid, entry.gid),
        )


@given(st.lists(LAYERS, min_size=1, max_size=2))
def test_between_an_image_and_itself_there_is_no_difference(
    folder: Path, layers: list[bytes]
) -> None:
    try:
        assert names(delta(layers, layers, folder)) == []
    except UnfitError:
        return


def folder_entry(name: str, mode: int) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, mode=mode)


def test_every_folder_above_what_changed_is_in_the_delta(folder: Path) -> None:
    above = (folder_entry("tmp", 0o1777), folder_entry("tmp/in", 0o700))
    base = layer({}, *above)
    old = [base, layer({"tmp/in/a": b"1"}, *above)]
    new = [base, layer({"tmp/in/a": b"2"}, *above)]

    made = delta(old, new, folder)

    assert names(made) == ["tmp", "tmp/in", "tmp/in/a"]
    assert_same(show([*old, made]), show(new))


def test_every_folder_above_what_was_removed_is_in_the_delta(folder: Path) -> None:
    above = (folder_entry("tmp", 0o1777), folder_entry("tmp/in", 0o700))
    old = [layer({}, *above), layer({"tmp/in/a": b"1"}, *above)]
    new = [layer({}, *above)]

    made = delta(old, new, folder)

    assert names(made) == ["tmp", "tmp/in", "tmp/in/.wh.a"]
    assert_same(show([*old, made]), show(new))


@pytest.mark.parametrize("time", ["1000000000.123456789", "1000000000.1", "-1.000000001", "3.0"])
def test_times_are_carried_as_they_were_written(folder: Path, time: str) -> None:
    one = entry("a", tarfile.REGTYPE)
    one.pax_headers = {"mtime": time}
    old, new = [layer({"a": b""})], [layer({}, one)]

    made = delta(old, new, folder)

    with tarfile.open(fileobj=io.BytesIO(made)) as packed:
        assert packed.getmember("a").pax_headers["mtime"] == time
    assert_same(show([*old, made]), show(new))


def test_a_time_that_differs_by_a_nanosecond_is_a_change(folder: Path) -> None:
    one, other = entry("a", tarfile.REGTYPE), entry("a", tarfile.REGTYPE)
    one.pax_headers = {"mtime": "1700000000.123456788"}
    other.pax_headers = {"mtime": "1700000000.123456789"}

    assert names(delta([layer({}, one)], [layer({}, other)], folder)) == ["a"]


def hard_links(content: bytes, *links: str) -> bytes:
    same = [entry(name, tarfile.LNKTYPE, "a", mode=0o644) for name in links]
    for one in same:
        one.mtime = 1e9
    return layer({"a": content}, *same)


def test_hard_links_move_together_though_only_the_content_changed(folder: Path) -> None:
    old, new = [hard_links(b"1", "b", "c")], [hard_links(b"2", "b", "c")]

    made = delta(old, new, folder)

    with tarfile.open(fileobj=io.BytesIO(made)) as packed:
        assert [(one.name, one.linkname) for one in packed] == [("a", ""), ("b", "a"), ("c", "a")]
    assert_same(show([*old, made]), show(new))


def test_a_link_more_takes_the_whole_group_along(folder: Path) -> None:
    old, new = [hard_links(b"1", "b")], [hard_links(b"1", "b", "c")]

    made = delta(old, new, folder)

    assert names(made) == ["a", "b", "c"]
    assert_same(show([*old, made]), show(new))


def test_a_link_that_became_a_file_of_its_own_is_one(folder: Path) -> None:
    old, new = [hard_links(b"1", "b")], [layer({"a": b"1", "b": b"1"})]

    made = delta(old, new, folder)

    assert show([*old, made]).groups == frozenset()
    assert_same(show([*old, made]), show(new))


@pytest.mark.parametrize("first", [True, False])
def test_a_whiteout_acts_before_its_own_layers_entries(folder: Path, first: bool) -> None:  # noqa: FBT001
    """The file is there: the layer removes the one below it and brings another."""
    files = {".wh.a": b"", "a": b"2"} if first else {"x/.wh.y": b"", "x/z": b"3", ".wh.a": b""}
    lower = layer({"a": b"1", "x/y": b"1"})
    old, new = [lower, layer({"a": b"0"})], [lower, layer(files)]

    assert ("a" in tree(new, folder).nodes) is first
    assert_same(show([*old, delta(old, new, folder)]), show(new))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"a/b/c": b"1", "a/d": b"2"}, {"a": b"3"}),
        ({"a": b"3"}, {"a/b/c": b"1", "a/d": b"2"}),
        ({"a/b/c": b"1"}, {"a/d": b"2"}),
        ({"a/b": b"1"}, {}),
        ({"a": b"1"}, {f"long/{'n' * 250}": b"2", "日本": b"3"}),
    ],
)
def test_folders_become_files_and_files_folders(
    folder: Path, before: dict[str, bytes], after: dict[str, bytes]
) -> None:
    old, new = [layer(before)], [layer(after)]

    assert_same(show([*old, delta(old, new, folder)]), show(new))


def unfit(*more: tarfile.TarInfo, files: dict[str, bytes] | None = None) -> bytes:
    return layer(files or {}, *more)


@pytest.mark.parametrize(
    "made",
    [
        unfit(entry("a", tarfile.CHRTYPE)),
        unfit(entry("../a", tarfile.REGTYPE)),
        unfit(entry("b", tarfile.LNKTYPE, "nowhere")),
        unfit(entry("b", tarfile.LNKTYPE, "a", mode=0o600), files={"a": b""}),
        unfit(entry("s", tarfile.SYMTYPE, "a"), entry("s/x", tarfile.REGTYPE)),
        unfit(files={".wh..wh..opq": b""}),
        unfit(files={".wh..wh.plnk": b""}),
        unfit(files={"a": b"", ".wh.a": b""}),
        b"no tar at all" * 100,
    ],
)
def test_what_cannot_be_told_path_by_path_is_not_guessed(folder: Path, made: bytes) -> None:
    with pytest.raises(UnfitError):
        tree([made], folder)


def test_a_folder_removed_and_made_anew_in_one_layer_is_not_guessed(folder: Path) -> None:
    """Podman shows what was in it, the specification says that it is empty."""
    anew = layer({".wh.a": b""}, folder_entry("a", 0o755))

    with pytest.raises(UnfitError, match="makes it anew"):
        tree([layer({"a/b": b"1"}), anew], folder)
