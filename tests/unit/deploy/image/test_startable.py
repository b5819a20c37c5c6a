"""An image of which no container can start is refused before it is sent."""

import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.layers.cache import Cache
from deploy.image.startable import refuse_unstartable
from deploy.image.store.archive import Archive
from tests.unit.deploy.image.make import entry, image, layer, write_layout

PEOPLE = {
    "etc/passwd": b"root:x:0:0::/:/bin/sh\napp:x:7:7::/:/bin/sh\n",
    "etc/group": b"web:x:9:\n",
}


def check(folder: Path, layers: list[bytes], **start: object) -> None:
    made = write_layout(image(layers, start=start), folder / "layout")
    with Export(Archive("shop", made), Cache(folder / "cache", 10**9)) as export:
        refuse_unstartable(export, command_set=False, own_user=True, sent=False)


def test_an_image_without_a_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="the image shop has no command"):
        check(tmp_path, [layer({})], Cmd=None)


def test_an_overlay_may_bring_the_command(tmp_path: Path) -> None:
    made = write_layout(image([layer({})], start={"Cmd": None}), tmp_path / "layout")
    export = Export(Archive("shop", made), Cache(tmp_path / "cache", 10**9))

    refuse_unstartable(export, command_set=True, own_user=False, sent=False)


@pytest.mark.parametrize(
    "start", [{"Entrypoint": ["/x"], "Cmd": None}, {"Cmd": ["/x"]}, {"Cmd": ["/x"], "User": ""}]
)
def test_an_image_with_a_command_is_taken(start: Mapping[str, object], tmp_path: Path) -> None:
    check(tmp_path, [layer({})], **start)


@pytest.mark.parametrize("user", ["app", "app:web", "1000", "1000:1000", "root", "7:web"])
def test_a_user_that_the_image_has_is_taken(user: str, tmp_path: Path) -> None:
    check(tmp_path, [layer(PEOPLE), layer({"x": b""})], User=user)


@pytest.mark.parametrize(
    ("user", "missing"),
    [("shop", "the user shop"), ("ap", "the user ap"), ("7:app", "the group app")],
)
def test_a_user_that_the_image_lacks_is_refused(user: str, missing: str, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match=f"runs as {missing}, which its /etc/"):
        check(tmp_path, [layer(PEOPLE), layer({"x": b""})], User=user)


@pytest.mark.parametrize("above", [{"etc/.wh.passwd": b""}, {"etc/.wh..wh..opq": b""}])
def test_a_user_that_an_upper_layer_removes_is_refused(
    above: Mapping[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(DeployError, match="runs as the user app"):
        check(tmp_path, [layer(PEOPLE), layer(above)], User="app")


def test_an_image_without_users_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="runs as the user app"):
        check(tmp_path, [layer({"app": b""})], User="app")


def test_a_list_of_users_behind_a_link_is_not_judged(tmp_path: Path) -> None:
    check(tmp_path, [layer({}, entry("etc/passwd", tarfile.SYMTYPE, "/usr/passwd"))], User="app")


def test_the_layers_of_an_image_on_the_node_are_not_read(tmp_path: Path) -> None:
    made = write_layout(image([b"no tar"], start={"User": "app"}), tmp_path / "layout")
    export = Export(Archive("shop", made), Cache(tmp_path / "cache", 10**9))

    refuse_unstartable(export, command_set=False, own_user=True, sent=True)
