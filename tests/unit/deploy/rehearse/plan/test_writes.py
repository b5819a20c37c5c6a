"""Folders are chosen in which a container may write."""

import pytest

from deploy.rehearse.plan.observation import ImageConfig
from deploy.rehearse.plan.writes import Writes, writes_of
from deploy.settings.conflicts import conflicts
from tests.unit.deploy.examples import settings
from tests.unit.deploy.rehearse.plan.trials import seen, wrote


def chosen(*paths: str, **image: object) -> Writes:
    config = ImageConfig.model_validate(image)
    return writes_of(seen(written=wrote(*paths), image=config))


@pytest.mark.parametrize(
    ("paths", "volumes", "memory"),
    [
        (["var/", "var/lib/", "var/lib/shop/", "+var/lib/shop/db"], ("/var/lib/shop",), ()),
        (["var/", "var/cache/", "+var/cache/n/", "+var/cache/n/1"], (), ("/var/cache/n",)),
        (["run/", "+run/nginx.pid"], (), ("/run",)),
        (["root/", "+root/.npm/", "+root/.npm/_logs/", "+root/.npm/_logs/1"], (), ("/root/.npm",)),
        (["etc/", "etc/nginx/", "etc/nginx/conf.d/", "etc/nginx/conf.d/default.conf"], (),
         ("/etc/nginx/conf.d",)),
        (["var/", "var/lib/", "var/lib/owned/"], ("/var/lib/owned",), ()),
        (["tmp/", "+tmp/1", "var/tmp/", "+var/tmp/1", "+dev/x"], (), ()),
        (["etc/", "etc/passwd", "etc/group"], (), ()),
        (["etc/", "run/", "+srv/files/"], (), ()),
        (["app/", "+app/__pycache__/", "+app/__pycache__/x.cpython-313.pyc"], (), ()),
    ],
)  # fmt: skip
def test_data_becomes_a_volume_and_the_rest_memory(
    paths: list[str], volumes: tuple[str, ...], memory: tuple[str, ...]
) -> None:
    found = chosen(*paths)

    assert (found.volumes, found.memory) == (volumes, memory)
    assert found.elsewhere == ()


def test_volumes_of_the_image_are_kept_but_for_the_folders_that_corefab_mounts() -> None:
    found = chosen(volumes=("/var/lib/mysql", "/data", "/dev/x", "/srv/pictures/"))

    assert found.lines == {"VOLUMES": "pictures:/srv/pictures, mysql:/var/lib/mysql"}


def test_the_folder_of_a_volume_is_nothing_that_is_written() -> None:
    found = chosen("srv/", "+srv/pictures/", volumes=("/srv/pictures",))

    assert found.paths == ()


def test_nothing_is_mounted_over_the_app_or_the_system() -> None:
    found = chosen(
        "app/", "+app/db.sqlite", "usr/", "usr/bin/", "+usr/bin/made", "opt/", "opt/shop/",
        "+opt/shop/x", workdir="/app", program="/opt/shop/server",
    )  # fmt: skip

    assert found.lines == {}
    assert found.elsewhere == ("/app/db.sqlite", "/usr/bin/made", "/opt/shop/x")


def test_a_folder_in_another_goes_with_it_and_is_kept_if_either_is() -> None:
    found = chosen("var/", "var/log/", "+var/log/app/", "+var/log/app/1", volumes=("/var/log",))

    assert found.lines == {"VOLUMES": "log:/var/log"}


def test_folders_in_memory_are_joined_where_one_around_them_has_nothing_else() -> None:
    found = chosen(
        "var/", "var/cache/", "var/cache/nginx/", "+var/cache/nginx/body/",
        "+var/cache/nginx/proxy/", "app/", "+app/cache/", "+app/tmp/", workdir="/app",
    )  # fmt: skip

    assert found.memory == ("/app/cache", "/app/tmp", "/var/cache/nginx")


def test_folders_in_memory_stay_apart_beside_a_volume() -> None:
    found = chosen("web/", "+web/cache/", "+web/tmp/", volumes=("/web/data",))

    assert found.lines == {"VOLUMES": "data:/web/data", "CONTAINER_TMPFS": "/web/cache, /web/tmp"}


def test_volumes_of_the_same_last_name_get_longer_names() -> None:
    found = chosen(volumes=("/a/data", "/b/Data"))

    assert found.lines == {"VOLUMES": "a-data:/a/data, b-data:/b/Data"}


def test_what_is_chosen_contradicts_no_other_setting() -> None:
    found = chosen(
        "run/", "+run/php/", "+run/php/sock", "+run/x.pid", "+run/secrets/x", "+etc/tls/x",
        volumes=("/data/more", "/run/state", "/srv", "/var/lib/x", "/var/lib/x/y", "/odd folder"),
    )  # fmt: skip

    assert found.lines
    assert list(conflicts(settings(**found.lines))) == []
