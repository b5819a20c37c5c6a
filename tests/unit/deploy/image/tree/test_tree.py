"""Layers laid over one another show what a node shows of them."""

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.errors import DeployError
from deploy.image.tree.entries import Entry, TreeError, nanoseconds, read_layer
from deploy.image.tree.tree import Tree, flatten, hard_links
from tests.unit.deploy.image.make import digest, entry, layer
from tests.unit.deploy.image.tree.overlay import show
from tests.unit.deploy.image.tree.trees import LAYERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("layers")


def tree(layers: Sequence[bytes], folder: Path) -> Tree:
    return flatten(entries(one, folder) for one in layers)


def entries(layer: bytes, folder: Path) -> Iterator[Entry]:
    file = folder / digest(layer)[7:]
    file.write_bytes(layer)
    return read_layer(digest(layer), file)


@given(st.lists(LAYERS, min_size=1, max_size=3))
def test_an_image_laid_flat_shows_what_a_node_shows(folder: Path, layers: list[bytes]) -> None:
    try:
        found = tree(layers, folder)
    except TreeError:
        return
    shown = show(layers)

    times = {path: node.entry.mtime for path, node in found.items() if path}
    assert times.keys() == shown.times.keys()
    assert {path: nanoseconds(time) for path, time in times.items()} == {
        path: nanoseconds(time or "") for path, time in shown.times.items()
    }
    assert {frozenset(group) for group in hard_links(found).values()} == shown.groups
    for path in found.keys() - {""}:
        entry = found[path].entry
        assert shown.things[path][1:3] == (
            0 if entry.kind == "l" else entry.mode,
            (entry.uid, entry.gid),
        )


def folder_entry(name: str, mode: int) -> tarfile.TarInfo:
    return entry(name, tarfile.DIRTYPE, mode=mode)


@pytest.mark.parametrize("first", [True, False])
def test_a_whiteout_acts_before_its_own_layers_entries(folder: Path, first: bool) -> None:  # noqa: FBT001
    """The file is there: the layer removes the one below it and brings another."""
    files = {".wh.a": b"", "a": b"2"} if first else {"x/.wh.y": b"", "x/z": b"3", ".wh.a": b""}
    lower = layer({"a": b"1", "x/y": b"1"})

    assert ("a" in tree([lower, layer(files)], folder)) is first


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
    with pytest.raises(TreeError):
        tree([made], folder)


def test_a_folder_removed_and_made_anew_in_one_layer_is_not_guessed(folder: Path) -> None:
    """Podman shows what was in it, the specification says that it is empty."""
    again = layer({".wh.a": b""}, folder_entry("a", 0o755))

    with pytest.raises(TreeError, match="creates it again"):
        tree([layer({"a/b": b"1"}), again], folder)


def test_a_layer_that_is_damaged_in_the_cache_is_not_compared(tmp_path: Path) -> None:
    whole = layer({"a": b"1"})
    file = tmp_path / "layer"
    file.write_bytes(whole[:-1] + b"!")

    with pytest.raises(DeployError, match="damaged in the cache"):
        list(read_layer(digest(whole), file))
