"""`fab image-verify` shows every difference between the node's image and the one that was built."""

import secrets
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.image.tree.index import UnfitError, read_index
from deploy.image.tree.tree import flatten
from tests.system.project import Project
from tests.unit.deploy.image.make import Made, digest, entry, image, layer, write_layout
from tests.unit.deploy.image.trees import LAYERS

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


def comparable(layers: list[bytes], folder: Path) -> bool:
    """Tell whether what these layers make can be told path by path."""
    try:
        flatten(read_index(digest(one), written(one, folder)) for one in layers)
    except UnfitError:
        return False
    return True


def written(content: bytes, folder: Path) -> Path:
    file = folder / digest(content)[7:]
    file.write_bytes(content)
    return file


# An example that fails is long.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@settings(
    max_examples=4, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(LAYERS, min_size=1, max_size=3))
def test_any_image_is_on_the_node_as_it_was_built(shelf: Shelf, layers: list[bytes]) -> None:
    made = image(layers, label=secrets.token_hex(8))
    if comparable(layers, shelf.folder):
        shelf.send(made)

        assert "all as built" in shelf.verify(made)


# Changes behind podman's back in the topmost layer, each of another kind.
PLANT = """
cd "$(podman image inspect --format '{{.GraphDriver.Data.UpperDir}}' %s)"
printf x >> content; touch -d @1000000000 content; chmod 600 mode; chown 5:6 owner
touch -d @1000000000.000000001 time; cp --attributes-only --preserve=xattr coloured attribute
touch -d @1000000000 attribute; mv one keep; cp -p keep one; rm keep gone; printf x > more
ln -sfn elsewhere leads; touch -h -d @1000000000 leads
"""


def test_every_difference_on_the_node_is_told(shelf: Shelf) -> None:
    coloured = entry("coloured", tarfile.REGTYPE)
    coloured.pax_headers = {"SCHILY.xattr.user.colour": "red"}
    link, pair = entry("leads", tarfile.SYMTYPE, "here"), linked("two", "one")
    link.mtime = 1e9
    plain = dict.fromkeys(("content", "mode", "owner", "time", "attribute", "one", "gone"), b"1")
    made = image([layer({"x": unique()}), layer(plain, coloured, link, pair)])
    shelf.send(made)
    assert "all as built" in shelf.verify(made)

    shelf.project.ssh(PLANT % made.id)
    said = shelf.project.fab("image-verify", **shelf.given(made))

    told = [line.strip() for line in said.out.splitlines() if line.strip().startswith("/")]
    shelf.project.ssh(f"podman rmi -f {made.id}")
    assert said.code == 1, said.out
    assert [line.split(":")[0] for line in told] == [
        "/attribute", "/content", "/gone", "/leads", "/mode", "/more", "/one", "/owner", "/time",
        "/two",
    ]  # fmt: skip
    assert "/mode: mode 0600, not 0644" in told
    assert "/time: time 1000000000.000000001, not 1000000000.0" in told
    assert "/attribute: attribute user.colour 'red', not absent" in told
    assert "/owner: owner 5:6, not 0:0" in told
    assert "/leads: leads to 'elsewhere', not 'here'" in told
    assert "/one: without hard links, not one file with /one, /two" in told


def test_an_image_that_nobody_sent_cannot_be_verified(shelf: Shelf) -> None:
    made = image([layer({"a": unique()})])

    said = shelf.project.fab("image-verify", **shelf.given(made))

    assert said.code == 1
    assert "the node does not have" in said.out
