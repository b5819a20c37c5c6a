"""/etc is merged as ostree merges it: what was changed here stays, the rest is the new system's."""

from pathlib import Path

import pytest

from rehearsal import etc

pytestmark = pytest.mark.program  # cp


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path, Path]:
    """Make an old default, a machine's /etc that is still like it, and a new default."""
    old, current, new = (tmp_path / name for name in ("old", "current", "new"))
    for tree in (old, current, new):
        (tree / "conf.d").mkdir(parents=True)
        (tree / "conf.d" / "a").write_text("new" if tree == new else "old")
        (tree / "gone").mkdir()
        (tree / "gone" / "inside").write_text("x")
        (tree / "link").symlink_to("conf.d/a")
    (new / "conf.d" / "b").write_text("only in the new one")
    (old / "retired").write_text("x")
    (current / "retired").write_text("x")
    return old, current, new


def merged(trees: tuple[Path, Path, Path]) -> Path:
    target = trees[0].with_name("merged")
    etc.merge(*trees, target)
    return target


def test_what_is_as_it_was_follows_the_new_system(trees: tuple[Path, Path, Path]) -> None:
    found = merged(trees)

    assert (found / "conf.d/a").read_text() == "new"
    assert (found / "conf.d/b").exists()
    assert not (found / "retired").exists()


def test_changed_and_added_files_stay(trees: tuple[Path, Path, Path]) -> None:
    current = trees[1]
    (current / "conf.d/a").write_text("changed here")
    (current / "own/deep").mkdir(parents=True, mode=0o700)
    (current / "own/deep/file").write_text("added")
    (current / "own/deep/file").chmod(0o640)
    (current / "link").unlink()
    (current / "link").symlink_to("elsewhere")

    found = merged(trees)

    assert (found / "conf.d/a").read_text() == "changed here"
    assert (found / "own/deep/file").read_text() == "added"
    assert (found / "own/deep/file").stat().st_mode & 0o777 == 0o640
    assert (found / "own/deep").stat().st_mode & 0o777 == 0o700
    assert (found / "link").readlink() == Path("elsewhere")


def test_removed_files_and_folders_stay_away(trees: tuple[Path, Path, Path]) -> None:
    current = trees[1]
    (current / "conf.d/a").unlink()
    (current / "gone/inside").unlink()
    (current / "gone").rmdir()

    found = merged(trees)

    assert not (found / "conf.d/a").exists()
    assert (found / "conf.d/b").exists()
    assert not (found / "gone").exists()


def test_a_changed_mode_is_a_change(trees: tuple[Path, Path, Path]) -> None:
    (trees[1] / "conf.d/a").chmod(0o600)

    found = merged(trees) / "conf.d/a"

    assert found.read_text() == "old"
    assert found.stat().st_mode & 0o777 == 0o600


def test_a_file_that_became_a_folder_here_stays_one(trees: tuple[Path, Path, Path]) -> None:
    current = trees[1]
    (current / "conf.d/a").unlink()
    (current / "conf.d/a").mkdir()
    (current / "conf.d/a/x").write_text("x")

    assert (merged(trees) / "conf.d/a/x").read_text() == "x"


def test_a_file_stays_whose_folder_the_new_system_has_no_more(
    trees: tuple[Path, Path, Path],
) -> None:
    old, current, new = trees
    (new / "gone/inside").unlink()
    (new / "gone").rmdir()
    for tree in (old, current):
        (tree / "gone").chmod(0o700)
    (current / "gone/own").write_text("added")

    found = merged(trees)

    assert [one.name for one in (found / "gone").iterdir()] == ["own"]
    assert (found / "gone").stat().st_mode & 0o777 == 0o700


def test_a_folder_that_the_new_system_has_as_a_file_is_one(trees: tuple[Path, Path, Path]) -> None:
    _, current, new = trees
    (new / "gone/inside").unlink()
    (new / "gone").rmdir()
    (new / "gone").write_text("a file now")
    (current / "gone/inside").unlink()

    assert (merged(trees) / "gone").read_text() == "a file now"


def test_a_folder_that_became_a_link_here_is_not_followed_out_of_the_tree(
    trees: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    """On the node the link leads to the node's own folder; the path exists on this machine, too."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "inside").write_text("of this machine")
    current = trees[1]
    (current / "gone/inside").unlink()
    (current / "gone").rmdir()
    (current / "gone").symlink_to(outside)
    (current / "conf.d/a").unlink()
    (current / "conf.d").rmdir()
    (current / "conf.d").symlink_to(outside)

    found = merged(trees)

    assert (found / "gone").readlink() == (found / "conf.d").readlink() == outside
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"inside": "of this machine"}


def test_a_folder_that_is_a_link_in_the_new_system_is_not_followed_out_of_the_tree(
    trees: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "inside").write_text("of this machine")
    _, current, new = trees
    (new / "gone/inside").unlink()
    (new / "gone").rmdir()
    (new / "gone").symlink_to(outside)
    (current / "gone/inside").write_text("changed here")
    (current / "gone/own").write_text("added")

    found = merged(trees)

    assert (found / "gone").readlink() == outside
    assert {one.name: one.read_text() for one in outside.iterdir()} == {"inside": "of this machine"}
