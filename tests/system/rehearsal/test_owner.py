"""A node belongs to the operator's folder that it was started for."""

import os
from pathlib import Path

import pytest

from rehearsal import lifecycle, places, state
from rehearsal.errors import RehearsalError
from rehearsal.state import Record


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Make an operator's folder."""
    folder = tmp_path / "shop"
    folder.mkdir()
    return folder


@pytest.fixture
def blog(tmp_path: Path) -> Path:
    """Make another one."""
    folder = tmp_path / "blog"
    folder.mkdir()
    return folder


def recorded(name: str, folder: str) -> places.Folder:
    """Record a node for an operator's folder."""
    made = places.folder(name)
    made.path.mkdir()
    state.save(made, Record(1, "base", owner=folder))
    return made


def test_a_node_of_another_folder_is_refused_by_the_name_of_that_folder(
    shop: Path, blog: Path
) -> None:
    node = recorded("www", str(shop))

    state.refuse_others(node, shop, "")
    with pytest.raises(RehearsalError) as raised:
        state.refuse_others(node, blog, "use another name")

    assert raised.value.message == f"rehearsal node www belongs to {shop}"
    assert raised.value.hint == "use another name"


def test_a_folder_is_the_same_by_whichever_path_it_is_reached(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(shop)

    assert state.may_change(recorded("www", str(shop)), tmp_path / "link")


def test_a_node_whose_folder_no_longer_exists_is_left_to_every_folder(
    shop: Path, blog: Path
) -> None:
    node = recorded("www", str(shop))
    shop.rmdir()

    assert state.owner_of(node) is None
    assert state.may_change(node, blog)


@pytest.mark.parametrize("text", ['{"slot": 1, "base": "base"}', "{", ""])
def test_a_node_that_records_no_folder_is_left_to_every_folder(blog: Path, text: str) -> None:
    node = places.folder("www")
    node.path.mkdir()
    node.record.write_text(text, encoding="utf-8")

    assert state.owner_of(node) is None
    assert state.may_change(node, blog)


def test_without_nodes_of_its_own_a_folder_needs_no_root_to_remove_all(
    shop: Path, blog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    recorded("www", str(shop))

    assert lifecycle.down_all(blog) == ()
    assert places.folder("www").path.exists()
    with pytest.raises(RehearsalError, match="need root"):
        lifecycle.down_all(shop)
