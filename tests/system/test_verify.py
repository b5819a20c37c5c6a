"""`fab image-verify` shows every difference between the node's image and the one that was built."""

import secrets
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system.project import Project
from tests.unit.deploy.image.make import Made, entry, image, layer, write_layout

pytestmark = pytest.mark.node


@dataclass
class Shelf:
    """A project, and a folder and a cache of layers that belong to one test."""

    project: Project
    folder: Path

    def given(self, made: Made) -> dict[str, str]:
        place = write_layout(made, self.folder / made.id[7:19])
        return {"IMAGE": f"oci:{place}", "IMAGE_CACHE": str(self.folder / "cache")}

    def send(self, made: Made) -> str:
        return self.project.must("image-send", **self.given(made))

    def verify(self, made: Made) -> str:
        return self.project.must("image-verify", **self.given(made))


@pytest.fixture
def shelf(deployed: Project, tmp_path: Path) -> Shelf:
    return Shelf(deployed, tmp_path)


def unique() -> bytes:
    return secrets.token_bytes(2000)


def linked(name: str, target: str) -> tarfile.TarInfo:
    made = entry(name, tarfile.LNKTYPE, target, mode=0o644)
    made.mtime = 1e9
    return made


def test_an_image_of_every_kind_of_entry_is_on_the_node_as_it_was_built(shelf: Shelf) -> None:
    tool = entry("bin/tool", tarfile.REGTYPE, mode=0o4755)
    tool.pax_headers = {"SCHILY.xattr.user.colour": "red", "mtime": "1700000000.123456789"}
    above = [entry(name, tarfile.DIRTYPE, mode=mode) for name, mode in FOLDERS.items()]
    same = [linked("data/b", "data/a"), linked("data/c", "data/a")]
    lower = layer({"data/a": b"1", "tmp/gone": b"2", "d/x/y": b"3", "f": b"4"}, *same, *above)
    upper = layer(
        {"data/a": b"5", "tmp/.wh.gone": b"", ".wh.d": b"", "d": b"6", "f/g": b"7", "ü\n": b"8"},
        tool, linked("data/b", "data/a"), entry("pipe", tarfile.FIFOTYPE),
        entry("s", tarfile.SYMTYPE, "/x"), entry("f", tarfile.DIRTYPE, mode=0o750),
        *above,
    )  # fmt: skip
    made = image([lower, upper], label=secrets.token_hex(8))

    shelf.send(made)

    assert "no differences" in shelf.verify(made)


FOLDERS = {"tmp": 0o1777, "data": 0o711, "bin": 0o755}


# Changes behind podman's back in the topmost layer, each of another kind.
PLANT = """
cd "$(podman image inspect --format '{{.GraphDriver.Data.UpperDir}}' %s)"
printf x >> content; touch -d @1000000000 content; chmod 600 mode; chown 5:6 owner
touch -d @1000000000.000000001 time; cp --attributes-only --preserve=xattr coloured attribute
touch -d @1000000000 attribute; mv one keep; cp -p keep one; rm keep gone; printf x > more
ln -sfn elsewhere leads; touch -h -d @1000000000 leads
"""


def test_every_difference_on_the_node_is_reported(shelf: Shelf) -> None:
    coloured = entry("coloured", tarfile.REGTYPE)
    coloured.pax_headers = {"SCHILY.xattr.user.colour": "red"}
    link, pair = entry("leads", tarfile.SYMTYPE, "here"), linked("two", "one")
    link.mtime = 1e9
    plain = dict.fromkeys(("content", "mode", "owner", "time", "attribute", "one", "gone"), b"1")
    made = image([layer({"x": unique()}), layer(plain, coloured, link, pair)])
    shelf.send(made)
    assert "no differences" in shelf.verify(made)

    shelf.project.ssh(PLANT % made.id)
    said = shelf.project.fab("image-verify", **shelf.given(made))

    reported = [line.strip() for line in said.out.splitlines() if line.strip().startswith("/")]
    shelf.project.ssh(f"podman rmi -f {made.id}")
    assert said.code == 1, said.out
    assert [line.split(":")[0] for line in reported] == [
        "/attribute", "/content", "/gone", "/leads", "/mode", "/more", "/one", "/owner", "/time",
        "/two",
    ]  # fmt: skip
    assert "/mode: mode 0600, not 0644" in reported
    assert "/time: time 1000000000.000000001, not 1000000000.0" in reported
    assert "/attribute: attribute user.colour 'red', not absent" in reported
    assert "/owner: owner 5:6, not 0:0" in reported
    assert "/leads: link target 'elsewhere', not 'here'" in reported
    assert "/one: without hard links, not one file with /one, /two" in reported


def test_what_layers_say_of_the_root_is_no_difference(shelf: Shelf) -> None:
    root = entry("./", tarfile.DIRTYPE, mode=0o700)
    root.uid = 5
    made = image([layer({"a": unique()}, root), layer({"b": unique()}, root)])

    shelf.send(made)

    assert "no differences" in shelf.verify(made)


def test_an_image_that_cannot_be_compared_has_an_exit_code_of_its_own(shelf: Shelf) -> None:
    again = entry("a", tarfile.DIRTYPE)
    made = image([layer({"a/b": unique()}), layer({".wh.a": b""}, again)])
    shelf.send(made)

    said = shelf.project.fab("image-verify", **shelf.given(made))

    assert said.code == 3
    assert "cannot be compared path by path" in said.out


def test_an_image_that_was_not_sent_cannot_be_verified(shelf: Shelf) -> None:
    made = image([layer({"a": unique()})])

    said = shelf.project.fab("image-verify", **shelf.given(made))

    assert said.code == 1
    assert "the node does not have" in said.out
