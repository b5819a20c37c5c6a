"""With IMAGE_MODE=delta a node shows what was built, though its image is another."""

import json
import os
import secrets
import signal
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy import node
from deploy.image.delta_build import Workshop
from deploy.image.index import UnfitError
from deploy.image.local import open_image
from deploy.plan.command import Command
from deploy.plan.state import NodeState
from deploy.project import Project as Instance
from deploy.remote.probe import probe
from deploy.remote.remote import FabricRemote, Remote, Result
from deploy.settings.model import Settings
from deploy.settings.read import read_settings
from deploy.transfer import Transfer
from tests.image.make import Made, entry, image, layer, noise, write_layout
from tests.image.trees import LAYERS
from tests.node.project import Project

pytestmark = pytest.mark.node
MIB = 1 << 20
# Beside it, what changes is less than a quarter of the image.
BALLAST = layer({"ballast": noise(2 * MIB, 7)})


@dataclass
class Shelf:
    """A project, and a folder and a cache of layers that belong to one test."""

    project: Project
    folder: Path

    @property
    def app(self) -> str:
        return f"{self.project.settings['PROJECT']}-www"

    def given(self, made: Made) -> dict[str, str]:
        place = write_layout(made, self.folder / made.id[7:19])
        cache = str(self.folder / "cache")
        return {"IMAGE": f"oci:{place}", "IMAGE_CACHE": cache, "IMAGE_MODE": "delta"}

    def settings(self, made: Made) -> Settings:
        folder = self.project.folder
        changed = {
            "image": self.given(made)["IMAGE"],
            "image_cache": self.folder / "cache",
            "image_mode": "delta",
            "identity_file": folder / "id",
        }
        return read_settings(folder).model_copy(update=changed)

    def send(self, made: Made) -> str:
        return self.project.must("image-send", **self.given(made))

    def verify(self, made: Made) -> str:
        return self.project.must("image-verify", **self.given(made))

    def sent(self) -> tuple[str, list[str], str]:
        """Tell of the image that was sent last: its id, its layers, which image it stands for."""
        said = self.project.ssh(f"podman image inspect localhost/{self.app}:sent")
        found = json.loads(said)[0]
        label = (found["Labels"] or {}).get("io.corefab.built", "")
        return f"sha256:{found['Id']}", found["RootFS"]["Layers"], label


@pytest.fixture
def shelf(deployed: Project, tmp_path: Path) -> Iterator[Shelf]:
    """Leave the node without this test's anchor, as the next test wants to begin with its own."""
    made = Shelf(deployed, tmp_path)
    yield made
    deployed.ssh(f"podman untag localhost/{made.app}:anchor localhost/{made.app}:anchor || true")
    deployed.must("prune")
    assert deployed.ssh("ls -A /var/lib/corefab/images") == ""


def unique() -> bytes:
    return secrets.token_bytes(2000)


def anchored(shelf: Shelf, *layers: bytes) -> Made:
    """Send an image of some layers as the anchor."""
    made = image([BALLAST, *layers], label=secrets.token_hex(8))
    tag = f"localhost/{shelf.app}:anchor"
    shelf.project.ssh(f"podman untag {tag} {tag} 2>/dev/null || true")
    said = shelf.send(made)
    assert "as the anchor" in said, said
    return made


def test_each_delta_is_one_layer_on_the_anchor_and_never_on_another(shelf: Shelf) -> None:
    anchor = anchored(shelf, layer({"a": unique()}))
    before = set()

    for _ in range(2):
        made = image([BALLAST, layer({"a": unique()})])
        assert "sent for" in shelf.send(made)
        found, layers, label = shelf.sent()
        assert layers[:-1] == anchor.diff_ids
        assert label == made.id
        assert "nothing to send" in shelf.send(made)
        assert f"all as in {made.id[7:19]}" in shelf.verify(made)
        before.add(found)

    assert len(before) == 2


def test_an_image_that_is_sent_for_the_first_time_becomes_the_anchor(shelf: Shelf) -> None:
    made = image([BALLAST, layer({"a": unique()})])
    shelf.project.ssh(f"podman untag localhost/{shelf.app}:anchor 2>/dev/null || true")
    other = image([noise_layer(), layer({"a": unique()})])

    shelf.send(made)
    said = shelf.send(other)

    shelf.project.ssh(f"! podman image exists {made.id}")
    assert "more than a quarter of the image" in said
    assert "as the anchor of deltas to come" in said
    anchor = f"podman image inspect --format '{{{{.Id}}}}' localhost/{shelf.app}:anchor"
    assert shelf.project.ssh(anchor).strip() == other.id[7:]


def noise_layer() -> bytes:
    return layer({"other": noise(2 * MIB, secrets.randbits(32))})


def test_what_a_delta_can_hold_arrives_as_the_exact_image_has_it(shelf: Shelf) -> None:
    """The node's own rsync is the judge, of content, links, owners, times and attributes."""
    tool = entry("bin/tool", tarfile.REGTYPE, mode=0o4755)
    tool.pax_headers = {"SCHILY.xattr.user.colour": "red", "mtime": "1700000000.123456789"}
    above = [entry(name, tarfile.DIRTYPE, mode=mode) for name, mode in FOLDERS.items()]
    same = [linked("data/b"), linked("data/c")]
    lower = layer({"data/a": b"1", "tmp/gone": b"2", "d/x/y": b"3", "f": b"4"}, *same, *above)
    upper = layer(
        {"data/a": b"5", "tmp/.wh.gone": b"", ".wh.d": b"", "d": b"6", "f/g": b"7", "ü\n": b"8"},
        tool, linked("data/b"), entry("pipe", tarfile.FIFOTYPE), entry("s", tarfile.SYMTYPE, "/x"),
        entry("f", tarfile.DIRTYPE, mode=0o750),
        *above,
    )  # fmt: skip
    anchored(shelf, lower)
    made = image([BALLAST, lower, upper], label=secrets.token_hex(8))
    shelf.send(made)
    shelf.project.must("image-send", **shelf.given(made) | {"IMAGE_MODE": "exact"})
    found = next(one for one in standing_for(shelf, made) if one != made.id)

    said = shelf.project.ssh(
        f"one=$(podman image mount {made.id}); other=$(podman image mount {found}); "
        'rsync -naHAXc --delete --itemize-changes "$one/" "$other/"; '
        f'diff <(cd "$one"; {LIST}) <(cd "$other"; {LIST}) || true; '
        "podman image unmount --all >/dev/null"
    )

    # No layer tells the time of the root: it is that of unpacking.
    assert [line for line in said.splitlines() if line != ".d..t...... ./"] == []
    assert "(an anchor and a delta)" in shelf.verify(made)


LIST = "find . -mindepth 1 -printf '%p %y %m %U %G %T@ %l\\n' | sort"
FOLDERS = {"tmp": 0o1777, "data": 0o711, "bin": 0o755}


def linked(name: str) -> tarfile.TarInfo:
    made = entry(name, tarfile.LNKTYPE, "data/a", mode=0o644)
    made.mtime = 1e9
    return made


def standing_for(shelf: Shelf, made: Made) -> list[str]:
    with node.reached(Instance(shelf.project.folder, shelf.settings(made))) as remote:
        state = look(remote, shelf.settings(made))
    return [one for one in state.images if made.id in (one, state.built.get(one))]


def look(remote: FabricRemote, chosen: Settings) -> NodeState:
    return probe(remote, chosen.app, paths=(), credentials={})


# An example that fails is long.
@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@settings(
    max_examples=4, database=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.lists(LAYERS, min_size=1, max_size=2), st.lists(LAYERS, min_size=1, max_size=2))
def test_a_delta_between_any_two_images_shows_the_second(
    shelf: Shelf, old: list[bytes], new: list[bytes]
) -> None:
    made = image([BALLAST, *new], label=secrets.token_hex(8))
    chosen = shelf.settings(made)
    try:
        with open_image(Instance(shelf.project.folder, chosen)) as export:
            Workshop(export).tree()
    except UnfitError:
        return
    anchored(shelf, *old, layer({"anchor": unique()}))

    said = shelf.send(made)

    assert ", as " in said, said
    assert "all as in" in shelf.verify(made)


def test_a_node_that_lost_its_anchor_gets_the_image_itself(shelf: Shelf) -> None:
    anchor = anchored(shelf, layer({"a": unique() * 100}))
    made = image([BALLAST, layer({"a": unique() * 100})])
    chosen = shelf.settings(made)
    with node.reached(Instance(shelf.project.folder, chosen)) as remote:
        state = look(remote, chosen)
        shelf.project.ssh(f"podman rmi -f {anchor.id}")
        flipping = Flipping(remote, None)
        held = run(shelf, chosen, flipping, state)

    assert flipping.codes[0] == 3
    assert held == made.id
    assert shelf.sent()[0] == made.id


def test_a_delta_that_arrives_damaged_is_refused_and_the_image_itself_is_sent(
    shelf: Shelf,
) -> None:
    anchored(shelf, layer({"a": unique()}))
    before = shelf.sent()[0]
    made = image([BALLAST, layer({"a": noise(200_000, secrets.randbits(32))})])
    chosen = shelf.settings(made)
    with node.reached(Instance(shelf.project.folder, chosen)) as remote:
        flipping = Flipping(remote, shelf)
        held = run(shelf, chosen, flipping, look(remote, chosen))

    assert flipping.codes == [5, 0]
    assert flipping.tags == [before]
    assert held == made.id


def run(shelf: Shelf, chosen: Settings, remote: "Flipping", state: NodeState) -> str:
    folder = shelf.project.folder
    with open_image(Instance(folder, chosen)) as export:
        transfer = Transfer(remote, node.target(Instance(folder, chosen)), chosen, Workshop(export))
        return transfer.run(state, lambda: look(remote.remote, chosen))


class Flipping(Remote):
    """A node that gets a byte of the first thing wrong, where a shelf is given to look at."""

    def __init__(self, remote: FabricRemote, shelf: Shelf | None) -> None:
        self.remote, self.shelf = remote, shelf
        self.codes: list[int] = []
        self.tags: list[str] = []

    def round_trip(self) -> float:
        return self.remote.round_trip()

    def run(self, command: Command) -> Result:
        return self.remote.run(command)

    def hold(self, command: Command) -> Result:
        return self.remote.hold(command)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        first = not self.codes and self.shelf is not None
        result = self.remote.send(command, self.flipped(parts) if first else parts)
        self.codes.append(result.code)
        if first and self.shelf:
            self.tags.append(self.shelf.sent()[0])
        return result

    def flipped(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        for part in parts:
            changed = bytearray(part)
            if len(part) > 50_000:
                changed[len(part) // 2] ^= 4
            yield bytes(changed)


def test_a_cut_delta_goes_on_from_the_byte_it_reached(shelf: Shelf) -> None:
    shelf.send(image([layer({"ballast": noise(40 * MIB, 8)}), layer({"a": unique()})]))
    size = 8 * MIB
    changed = layer({"a": noise(size, secrets.randbits(32))})
    made = image([layer({"ballast": noise(40 * MIB, 8)}), changed])
    process = shelf.project.start("image-send", "--events", **shelf.given(made))
    reached = 0
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            reached = json.loads(line).get("sent", 0) if line.startswith("{") else reached
            if reached > size // 2:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.read()

    said = shelf.project.must("image-send", "--events", **shelf.given(made))

    ends = [json.loads(line) for line in said.splitlines() if '"end"' in line]
    assert reached > size // 2
    assert ends[-1]["sent"] <= size - reached + 2 * MIB
    assert shelf.sent()[2] == made.id


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
    link, pair = entry("leads", tarfile.SYMTYPE, "here"), linked("data/b")
    pair.name, pair.linkname, link.mtime = "two", "one", 1e9
    plain = dict.fromkeys(("content", "mode", "owner", "time", "attribute", "one", "gone"), b"1")
    made = image([BALLAST, layer(plain, coloured, link, pair)])
    shelf.send(made)
    assert "all as in" in shelf.verify(made)

    shelf.project.ssh(PLANT % made.id)
    said = shelf.project.fab("image-verify", **shelf.given(made))

    told = [line.split(" ", 1)[1] for line in said.out.splitlines() if ": " in line]
    shelf.project.ssh(f"podman rmi -f {made.id}")
    assert said.code == 1, said.out
    assert [line.split(":")[0] for line in told if line.startswith("/")] == [
        "/attribute", "/content", "/gone", "/leads", "/mode", "/more", "/one", "/owner", "/time",
        "/two",
    ]  # fmt: skip
    assert "/mode: mode 0600, not 0644" in told
    assert "/time: time 1000000000.000000001, not 1000000000.0" in told
    assert "/attribute: attribute user.colour 'red', not absent" in told
    assert "/owner: owner 5:6, not 0:0" in told
    assert "/leads: leads to 'elsewhere', not 'here'" in told
    assert "/one: without hard links, not one file with /one, /two" in told


def test_a_deploy_puts_a_delta_on_the_image_that_serves(serving: Project, shelf: Shelf) -> None:
    name = f"localhost/corefab-delta:{secrets.token_hex(4)}"
    text = f"FROM {serving.settings['IMAGE']}\nLABEL made={secrets.token_hex(8)}\nCOPY .env /e\n"
    build = ["podman", "build", "-q", "-t", name, "-f", "-", str(serving.folder)]
    done = subprocess.run(build, input=text.encode(), check=True, capture_output=True)
    built = done.stdout.decode().split()[-1]
    given = {"IMAGE": name, "IMAGE_MODE": "delta"}
    served = json.loads(serving.must("status", "--json"))["node_image"]

    serving.must("deploy", **given)

    facts = json.loads(serving.must("status", "--json", **given))
    assert facts["image"] == f"{name} {built[:12]}"
    assert facts["node_image"].endswith(f", an anchor and a delta, for {built[:12]}")
    assert "nothing to do" in serving.must("deploy", **given)
    assert "all as in" in serving.must("image-verify", **given)
    serving.must("prune", **given)
    serving.ssh(f"podman image exists localhost/{shelf.app}:anchor")
    serving.must("deploy")
    assert json.loads(serving.must("status", "--json"))["node_image"] == served
    subprocess.run(["podman", "rmi", name], check=True, capture_output=True)


def test_an_image_that_nobody_sent_cannot_be_verified(shelf: Shelf) -> None:
    made = image([layer({"a": unique()})])

    said = shelf.project.fab("image-verify", **shelf.given(made))

    assert said.code == 1
    assert "the node does not have" in said.out
