"""A cache that cannot be written is refused before an image is read."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.open import cache_of
from deploy.project import Project
from tests.unit.deploy.examples import settings


def test_the_folder_of_the_cache_is_made(tmp_path: Path) -> None:
    cache = cache_of(Project(tmp_path, settings(IMAGE_CACHE="a/cache")))

    assert cache.folder == tmp_path / "a/cache"
    assert cache.folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("place", ["file", "file/cache", "/proc/cache"])
def test_what_cannot_be_a_cache_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(DeployError, match=r"cannot be written") as refused:
        cache_of(Project(tmp_path, settings(IMAGE_CACHE=place)))

    assert "IMAGE_CACHE" in refused.value.hint
