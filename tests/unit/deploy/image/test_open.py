"""A cache that cannot be written is refused before an image is read."""

from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.open import cache_of, source_of
from deploy.image.store.archive import Archive
from deploy.image.store.engines import Docker, Podman
from deploy.image.store.source import Source
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


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("localhost:5000/shop:1", Podman("localhost:5000/shop:1")),
        ("containers-storage:localhost/shop:1", Podman("localhost/shop:1")),
        ("docker-daemon:shop:1", Docker("shop:1")),
        ("oci:a/b", Archive("oci:a/b", Path("/f/a/b"))),
        ("oci:a b:1", Archive("oci:a b:1", Path("/f/a b"), "1")),
        ("oci:~/x", Archive("oci:~/x", Path("~/x").expanduser())),
        ("oci-archive:/x.tar:@1", Archive("oci-archive:/x.tar:@1", Path("/x.tar"), "@1")),
        (
            "docker-archive:x.tar:shop:1",
            Archive("docker-archive:x.tar:shop:1", Path("/f/x.tar"), "shop:1"),
        ),
    ],
)
def test_image_names_are_those_of_podman_and_skopeo(name: str, source: Source) -> None:
    assert source_of(name, Path("/f")) == source


def test_a_path_with_a_colon_in_it_is_a_path(tmp_path: Path) -> None:
    (tmp_path / "x:1.tar").touch()

    assert source_of("docker-archive:x:1.tar", tmp_path) == Archive(
        "docker-archive:x:1.tar", tmp_path / "x:1.tar"
    )


@pytest.mark.parametrize(
    ("name", "hint"),
    [("docker://quay.io/shop:1", "podman pull quay.io/shop:1"), ("dir:a", "skopeo copy dir:a")],
)
def test_what_is_not_read_from_is_refused_with_the_way_over(name: str, hint: str) -> None:
    with pytest.raises(DeployError, match="an image that is on this machine") as caught:
        source_of(name, Path("/f"))

    assert hint in caught.value.hint
