"""Two operator's folders on one workstation, one name: neither disturbs the other."""

from pathlib import Path

import pytest

from rehearsal import lifecycle, places, stock
from rehearsal.errors import RehearsalError
from tests.system.rehearsal.nodes import own_name, require_nodes

pytestmark = pytest.mark.node

NAME = own_name("tests-folders")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep this file's nodes apart from every other, but not the system that all share."""
    require_nodes()
    base = stock.tree(lambda _: None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (places.cache() / base.name).symlink_to(base)


def test_a_node_is_its_folders_alone_until_that_folder_is_gone(spec: Path, tmp_path: Path) -> None:
    shop, blog = tmp_path / "shop", tmp_path / "blog"
    shop.mkdir()
    blog.mkdir()
    node = lifecycle.up(NAME, spec, shop)

    with pytest.raises(RehearsalError, match=f"belongs to {shop}") as raised:
        lifecycle.up(NAME, spec, blog)
    assert "set another PROJECT" in raised.value.hint
    assert "--node NAME" in raised.value.hint
    for change in (lifecycle.down, lifecycle.reboot):
        with pytest.raises(RehearsalError, match=f"belongs to {shop}") as raised:
            change(NAME, blog)
        assert "in that folder" in raised.value.hint
    assert lifecycle.down_all(blog) == ()

    found = lifecycle.find(NAME)
    assert found is not None
    assert found.boot_id == node.boot_id
    assert [one.owner for one in lifecycle.status()] == [shop]

    shop.rmdir()
    (gone,) = lifecycle.down_all(blog)
    assert (gone.name, gone.address, gone.owner) == (NAME, node.address, None)
    assert not places.folder(NAME).path.exists()
