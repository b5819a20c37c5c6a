"""An image reaches a node whole or not at all, and only what the node lacks of it travels."""

import json
import os
import random
import secrets
import shlex
import signal
import subprocess
import tarfile
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.image.layers.cache import Cache
from deploy.image.open import cache_of, open_image, source_of
from deploy.image.plan.image import Image, SaveCommand, missing
from deploy.image.plan.sending import Rates
from deploy.image.rate_store import RateStore
from deploy.image.send import image_send
from deploy.image.transfer import Transfer
from deploy.image.wire.whole import send_whole
from deploy.image.wire.zstd import compress
from deploy.node import session
from deploy.node.command import Command
from deploy.node.fabric_remote import FabricRemote
from deploy.node.remote import Remote, Result
from deploy.node.state import NodeState, probe
from deploy.project import Project as Instance
from deploy.settings.load import read_settings, with_node
from deploy.settings.model import Settings
from tests.images import build_image, remove_images
from tests.system.project import Project
from tests.unit.deploy.image.make import (
    Made,
    entry,
    image,
    layer,
    noise,
    sparse,
    write_archive,
    write_docker,
    write_layout,
)

pytestmark = pytest.mark.node
MIB = 1 << 20


@dataclass
class Bench:
    """A project, and a folder and a cache of layers that belong to one test."""

    project: Project
    folder: Path

    def settings(self, made: Made, name: str = "image") -> Settings:
        place = self.folder / name
        write_layout(made, place)
        self.take_link_for_slow()
        folder = self.project.folder
        changed = {
            "image": f"oci:{place}",
            "identity_file": folder / "id",
            "image_cache": self.folder,
        }
        return read_settings(folder).model_copy(update=changed)

    def take_link_for_slow(self) -> None:
        """Have the next transfer expect a slow link, where patches are quicker."""
        node = f"{self.project.node.address}:22"
        RateStore(Cache(self.folder, 0), node).store(Rates(link=1e6))

    def send(self, made: Made, name: str = "image") -> str:
        return self.fab(f"oci:{write_layout(made, self.folder / name)}")

    def fab(self, image: str) -> str:
        return self.project.must("image-send", IMAGE=image, IMAGE_CACHE=str(self.folder))

    def sent(self, made: Made, name: str = "image") -> int:
        """Send an image and count the bytes that went over."""
        place = write_layout(made, self.folder / name)
        self.take_link_for_slow()
        said = self.project.must(
            "image-send", "--events", IMAGE=f"oci:{place}", IMAGE_CACHE=str(self.folder)
        )
        ends = [json.loads(line) for line in said.splitlines() if '"end"' in line]
        return sum(one["sent"] for one in ends)

    def holds(self, made: Made) -> bool:
        """Tell whether the node has the image, with each layer that was built."""
        shown = self.project.ssh(
            f"podman image inspect {made.id} --format '{{{{json .RootFS.Layers}}}}' || echo null"
        )
        return bool(json.loads(shown) == made.diff_ids)

    def left(self) -> str:
        return self.project.ssh("ls -A /var/lib/corefab/images")


@pytest.fixture
def bench(deployed: Project, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(deployed, tmp_path)
    yield made
    deployed.must("prune")
    assert made.left() == ""


def unique(size: int = 4096) -> bytes:
    """Content that no node has seen."""
    return secrets.token_bytes(size)


def test_an_image_that_is_there_is_not_sent_again(bench: Bench) -> None:
    made = image([layer({"a": unique()})])
    bench.send(made)

    assert "nothing to send" in bench.send(made)
    assert bench.holds(made)


def test_an_image_that_is_there_under_another_name_is_named_sent(bench: Bench) -> None:
    app = bench.project.settings["PROJECT"] + "-www"
    made, other = (image([layer({"a": unique()})]) for _ in range(2))
    bench.send(made, "made")
    bench.send(other, "other")

    assert "nothing to send" in bench.send(made, "made")

    named = bench.project.ssh(f"podman image inspect --format '{{{{.Id}}}}' localhost/{app}:sent")
    assert named.strip() == made.id[7:]


def test_a_layer_that_podman_refuses_is_sent_once_and_says_why(bench: Bench) -> None:
    made = image([layer({"a": unique()}), unique(20_000)])

    said = bench.project.fab("image-send", IMAGE=f"oci:{write_layout(made, bench.folder / 'bad')}")

    assert said.code == 1
    assert "podman cannot unpack a layer of the image: archive/tar: invalid" in said.out
    assert "build the image again" in said.out
    assert "trying again" not in said.out
    assert "whole image" not in said.out


@pytest.mark.core
def test_only_the_layer_that_is_missing_travels(bench: Bench) -> None:
    base = layer({"base": unique(4 * MIB)})
    bench.send(image([base]))
    above = image([base, layer({"app": unique(4096)})])

    assert bench.sent(above, "above") < 10_000
    assert bench.holds(above)


def test_a_changed_layer_travels_as_a_patch_to_the_one_before(bench: Bench) -> None:
    files = {f"f{number}": unique(300_000) for number in range(20)}
    bench.send(image([layer({"base": b""}), layer(files)]))
    files["f7"] = files["f7"][:1000] + b"changed" + files["f7"][1000:]
    changed = image([layer({"base": b""}), layer(files)])

    assert bench.sent(changed, "changed") < 2_000
    assert bench.holds(changed)


@pytest.mark.slow
def test_a_layer_whose_every_time_changed_costs_little(bench: Bench) -> None:
    files = {f"dir/f{number}": unique(2000) for number in range(3000)}
    bench.send(image([layer(files)]))
    later = image([layer(files, mtime=1.1e9)])

    assert bench.sent(later, "later") < 300_000
    assert bench.holds(later)


def test_a_layer_that_is_like_nothing_travels_for_itself(bench: Bench) -> None:
    bench.send(image([layer({"a": unique(MIB)})]))
    other = image([layer({"b": unique(MIB)})])

    assert MIB * 0.99 < bench.sent(other, "other") < MIB * 1.02
    assert bench.holds(other)


def test_layers_under_a_new_base_are_not_sent_again(bench: Bench) -> None:
    upper = layer({"app": unique(4 * MIB)})
    bench.send(image([layer({"base": unique()}), upper]))
    moved = image([layer({"base": unique()}), upper])

    assert bench.sent(moved, "moved") < 20_000
    assert bench.holds(moved)


@pytest.mark.parametrize("kind", ["oci", "oci packed", "oci-archive", "docker-archive"])
def test_each_kind_of_archive_arrives_with_the_id_it_was_built_with(
    bench: Bench, kind: str
) -> None:
    made = image([layer({"a": unique()}), layer({"b": unique()})])
    packed = "gzip" if kind == "oci packed" else ""
    place = write_layout(made, bench.folder / "layout", packed=packed)
    names = {
        "oci": f"oci:{place}",
        "oci packed": f"oci:{place}",
        "oci-archive": f"oci-archive:{write_archive(place, bench.folder / 'a.tar')}",
        "docker-archive": f"docker-archive:{write_docker(made, bench.folder / 'd.tar')}",
    }

    bench.fab(names[kind])

    assert bench.holds(made)


@pytest.mark.core
@pytest.mark.parametrize("kind", ["oci", pytest.param("docker", marks=pytest.mark.slow)])
def test_an_image_of_podman_arrives_with_the_id_it_was_built_with(bench: Bench, kind: str) -> None:
    name = f"localhost/corefab-kind-{kind}:{secrets.token_hex(4)}"
    text = f"FROM {bench.project.settings['IMAGE']}\nLABEL made={unique(8).hex()}\nCOPY .env /e\n"
    made = build_image(name, text, bench.project.folder, form=kind)
    bench.fab(name)

    remove_images(name)
    bench.project.ssh(f"podman image exists {made}")


@pytest.mark.slow
def test_an_image_of_forty_layers_arrives(bench: Bench) -> None:
    made = image([layer({f"f{number}": unique()}) for number in range(40)])

    bench.send(made)

    assert bench.holds(made)


def test_links_attributes_whiteouts_and_odd_names_arrive_as_they_were_built(bench: Bench) -> None:
    capable = entry("bin/tool", tarfile.REGTYPE)
    capable.pax_headers = {"SCHILY.xattr.user.colour": "red", "mtime": "1000000000.123456789"}
    lower = layer(
        {"data/a": unique(), "data/gone": b"x", "ünïcode/日本": b"y", f"long/{'n' * 240}": b"z"},
        entry("data/b", tarfile.LNKTYPE, "data/a"),
        entry("data/s", tarfile.SYMTYPE, "../data/a"),
        capable,
    )
    upper = layer({"data/.wh.gone": b"", "new line\n": b"1", "-rf ' \"": b"2"})
    made = image([lower, upper])

    bench.send(made)

    assert bench.holds(made)
    seen = bench.project.ssh(
        f"cd $(podman image mount {made.id}); [ data/a -ef data/b ]; [ ! -e data/gone ]; "
        "stat -c %y bin/tool; ls -b; podman image unmount --all >/dev/null"
    )
    assert "123456789" in seen
    assert "new\\ line\\n" in seen


# The largest sum of what the programs of a transfer hold alone, in kB, looked at again and again.
WATCH = """
most=0
while :; do
  now=$(cat /proc/[0-9]*/status 2>/dev/null | awk '
    /^Name:/ {name = $2}
    /^RssAnon:/ && name ~ /^(bash|dd|head|podman|skopeo|tar|zstd)$/ {sum += $2}
    END {print sum + 0}')
  if [ "$now" -gt "$most" ]; then most=$now; echo "$most" > /run/most; fi
  sleep 0.05
done
"""


@pytest.mark.slow
def test_a_sparse_layer_of_two_gigabytes_costs_little_memory_on_both_sides(bench: Bench) -> None:
    tar = bench.folder / "sparse.tar"
    sparse(tar, 2 << 30)
    made = layout_of_file(tar, bench.folder / "layout")
    bench.project.ssh(f"systemd-run -q --unit=watch bash -c {shlex.quote(WATCH)}")
    given = {"IMAGE": f"oci:{bench.folder / 'layout'}", "IMAGE_CACHE": str(bench.folder)}

    process = bench.project.start("image-send", **given)
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)

    bench.project.ssh("systemctl stop watch")
    assert process.returncode == 0, said
    assert usage.ru_maxrss < 512 << 10
    assert 0 < int(bench.project.ssh("cat /run/most")) < 256 << 10
    assert bench.project.ssh(f"podman image exists {made} && echo yes") == "yes\n"


def layout_of_file(tar: Path, folder: Path) -> str:
    """Write a layout around a layer that is too large for memory; the image's id."""
    done = subprocess.run(["sha256sum", tar], check=True, capture_output=True, text=True)
    found = done.stdout.split()[0]
    empty = image([b""])
    config = json.loads(empty.config)
    config["rootfs"]["diff_ids"] = [f"sha256:{found}"]
    made = Made(json.dumps(config).encode(), ())
    write_layout(made, folder)
    tar.rename(folder / "blobs/sha256" / found)
    index = json.loads((folder / "index.json").read_text())
    blob = folder / "blobs/sha256" / index["manifests"][0]["digest"][7:]
    manifest = json.loads(blob.read_text())
    kind = "application/vnd.oci.image.layer.v1.tar"
    size = (folder / "blobs/sha256" / found).stat().st_size
    manifest["layers"] = [{"mediaType": kind, "digest": f"sha256:{found}", "size": size}]
    blob.write_text(json.dumps(manifest))
    return made.id


@pytest.mark.core
@pytest.mark.parametrize(
    "quarter", [0, *(pytest.param(one, marks=pytest.mark.slow) for one in (1, 2, 3))]
)
def test_a_cut_transfer_goes_on_from_the_byte_it_reached(bench: Bench, quarter: int) -> None:
    size = 24 * MIB
    share = (quarter + random.random()) * 0.24  # noqa: S311 -- no secret
    made = image([layer({"a": noise(size, secrets.randbits(32))})])
    place = write_layout(made, bench.folder / "layout")
    reached = cut_at(bench, f"oci:{place}", int(size * share))

    rest = bench.sent(made, "layout")

    assert rest <= size - reached + 2 * MIB
    assert bench.holds(made)


def cut_at(bench: Bench, name: str, count: int) -> int:
    """Kill a transfer that has sent this many bytes; return what it had told of."""
    sent = 0
    process = bench.project.start(
        "image-send", "--events", IMAGE=name, IMAGE_CACHE=str(bench.folder)
    )
    with process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line) if line.startswith("{") else {}
            sent = event.get("sent", sent)
            if sent >= count:
                os.kill(process.pid, signal.SIGKILL)
                break
        process.stdout.read()
    assert sent >= count
    return sent


def test_what_a_cut_transfer_left_is_pruned(bench: Bench) -> None:
    made = image([layer({"a": noise(24 * MIB, secrets.randbits(32))})])
    cut_at(bench, f"oci:{write_layout(made, bench.folder / 'layout')}", 8 * MIB)
    assert made.id[7:] in bench.left()

    said = bench.project.must("prune")

    assert f"interrupted transfer of image {made.id[7:19]}" in said
    assert bench.left() == ""


class Flipping(Remote):
    """A node that gets some bytes wrong, the first times it is sent something."""

    def __init__(self, remote: FabricRemote, places: list[int], times: int = 1) -> None:
        self.remote, self.places, self.times = remote, places, times
        self.codes: list[int] = []

    def round_trip(self) -> float:
        return self.remote.round_trip()

    def relay(self, line: str, stdin: int, stdout: int, stderr: int) -> int:
        return self.remote.relay(line, stdin, stdout, stderr)

    def run(self, command: Command) -> Result:
        return self.remote.run(command)

    def hold(self, command: Command) -> Result:
        return self.remote.hold(command)

    def send(self, command: Command, parts: Iterable[bytes]) -> Result:
        wrong = self.times > 0
        self.times -= 1
        result = self.remote.send(command, self.flipped(parts) if wrong else parts)
        self.codes.append(result.code)
        return result

    def flipped(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        at = 0
        for part in parts:
            changed = bytearray(part)
            # Lines are protected by SSH alone; content is what a bad disk may change.
            for place in self.places:
                if at <= place < at + len(part) and len(part) > 1000:
                    changed[place - at] ^= 1 << random.randrange(8)  # noqa: S311
            at += len(part)
            yield bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_bytes_that_flip_on_the_way_are_found_and_sent_again(bench: Bench, seed: int) -> None:
    size = 20 * MIB
    made = image([layer({"a": noise(size, secrets.randbits(32))})])
    settings = bench.settings(made)
    places = [random.Random(seed).randrange(MIB, size - MIB)]  # noqa: S311

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        flipping = Flipping(remote, places)
        run(bench, settings, flipping, look(remote, settings))

    assert flipping.codes == [5, 0]
    assert bench.holds(made)


def test_an_image_that_never_arrives_sound_is_sent_whole_and_never_named_before(
    bench: Bench,
) -> None:
    size = 2 * MIB
    made = image([layer({"a": noise(size, secrets.randbits(32))})])
    settings = bench.settings(made)

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        flipping = Flipping(remote, [MIB], times=2)
        run(bench, settings, flipping, look(remote, settings))

    assert flipping.codes == [5, 5, 0], "in pieces twice, then whole"
    assert bench.holds(made)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_names_that_an_archive_has_stay_out_of_the_node(bench: Bench, kind: str) -> None:
    made = image([layer({"a": unique(2 * MIB)})])
    settings = bench.settings(made)
    archive = bench.folder / "archive"
    if kind == "oci-archive":
        write_archive(bench.folder / "image", archive)
    else:
        # Podman and skopeo take none with a link.
        write_docker(made, archive, linked=False)
    settings = settings.model_copy(update={"image": f"{kind}:{archive}"})

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        run(bench, settings, Flipping(remote, [MIB], times=2), look(remote, settings))

    names = bench.project.ssh(f"podman image inspect -f '{{{{json .RepoTags}}}}' {made.id}")
    assert json.loads(names) == [f"localhost/{settings.app}:sent"]


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_another_image_than_the_one_that_was_built_gets_neither_its_id_nor_its_name(
    bench: Bench, kind: str
) -> None:
    wanted, other = (image([layer({"a": unique()})]) for _ in range(2))
    settings, archive = bench.settings(other), bench.folder / "archive"
    if kind == "oci-archive":
        write_archive(bench.folder / "image", archive)
    else:
        write_docker(other, archive, linked=False)
    whole = source_of(f"{kind}:{archive}", bench.folder).save_command()

    with (
        session.open_session(Instance(bench.project.folder, settings)) as remote,
        pytest.raises(DeployError, match=f"received image {other.id[7:19]}"),
    ):
        send_whole(remote, settings.app, Image("wanted", wanted.id, 0), whole, lambda _: None)

    names = bench.project.ssh("podman image ls --no-trunc --format '{{.ID}} {{.Tag}}'")
    assert wanted.id not in names
    assert other.id not in names
    assert "arriving" not in names
    assert bench.left() == ""


def test_a_whole_image_that_is_cut_takes_no_room_afterwards(bench: Bench) -> None:
    settings = bench.settings(image([layer({"a": unique()})]))
    whole = SaveCommand(("head", "-c", "5000000", "/dev/urandom"), "oci-archive")

    with (
        session.open_session(Instance(bench.project.folder, settings)) as remote,
        pytest.raises(DeployError, match="failed at the node"),
    ):
        send_whole(
            remote, settings.app, Image("cut", f"sha256:{'c' * 64}", 0), whole, lambda _: None
        )

    assert bench.left() == ""


def test_a_description_that_arrives_damaged_is_called_so(bench: Bench) -> None:
    settings = bench.settings(image([layer({"a": unique()})]))
    command = Command(
        "receive-image", (settings.app, f"sha256:{'d' * 64}"), b"image 9\ndamaged!!end\n"
    )

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        result = remote.run(command)

    assert (result.code, result.stderr) == (5, "the image's manifest or config arrived damaged\n")


@pytest.mark.slow
def test_an_image_whose_config_a_power_cut_emptied_is_given_no_layers_of_another(
    bench: Bench,
) -> None:
    images = [image([layer({"a": unique()})]) for _ in range(3)]
    for made in images:
        bench.send(made, made.id[7:19])
    settings = bench.settings(images[0])
    storage = "/var/lib/containers/storage/overlay-images"
    config = b64encode(images[1].id.encode()).decode()
    file = f"{storage}/{images[1].id[7:]}/={config}"

    bench.project.ssh(f"cp -a {file} /root/config; : >{file}")
    try:
        with session.open_session(Instance(bench.project.folder, settings)) as remote:
            state = look(remote, settings)
    finally:
        bench.project.ssh(f"mv /root/config {file}")

    for made in images:
        assert list(state.layers.get(made.id, made.diff_ids)) == made.diff_ids


@pytest.mark.slow
def test_a_list_of_images_for_several_machines_is_passed_over(bench: Bench) -> None:
    made = image([layer({"a": unique()})])
    bench.send(made)
    bench.project.ssh("podman manifest create localhost/machines")

    try:
        assert "nothing to send" in bench.send(made)
    finally:
        bench.project.ssh("podman manifest rm localhost/machines")


def run(bench: Bench, settings: Settings, remote: Flipping, state: NodeState) -> None:
    folder = bench.project.folder
    with open_image(Instance(folder, settings)) as export:
        transfer = Transfer(remote, session.target(Instance(folder, settings)), settings, export)
        transfer.run(state, lambda: look(remote.remote, settings))


def look(remote: FabricRemote, settings: Settings) -> NodeState:
    return probe(remote, settings.app, paths=(), credentials={})


def test_a_layer_that_the_node_lost_after_it_was_asked_is_sent_after_all(bench: Bench) -> None:
    base = layer({"base": unique(MIB)})
    before, made = image([base]), image([base, layer({"a": unique()})])
    bench.send(before)
    settings = bench.settings(made, "made")
    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        state = look(remote, settings)
        with open_image(Instance(bench.project.folder, settings)) as export:
            assert missing(export.image, state) == (made.diff_ids[1],)
        bench.project.ssh(f"podman rmi {before.id}")
        counting = Flipping(remote, [], times=0)
        run(bench, settings, counting, state)

    assert counting.codes == [3, 0]
    assert bench.holds(made)


class Pruning(Flipping):
    """A node that loses an image while another one arrives."""

    def __init__(self, remote: FabricRemote, project: Project, lost: str) -> None:
        super().__init__(remote, [], times=1)
        self.project, self.lost = project, lost

    def flipped(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        for number, part in enumerate(parts):
            if number == HALF_WAY:
                self.project.ssh(f"podman rmi {self.lost}")
            yield part


# Parts of a quarter of a megabyte, and the lines between them.
HALF_WAY = 20


@pytest.mark.slow
def test_a_base_that_is_pruned_half_way_is_sent_after_all(bench: Bench) -> None:
    files = {f"f{number}": unique(100_000) for number in range(9)}
    lower = layer({"lower": unique(MIB)})
    before = image([lower, layer(files)])
    bench.send(before)
    changed = layer(files | {"f4": unique(100_000)})
    made = image([lower, changed, layer({"a": noise(8 * MIB, secrets.randbits(32))})])
    settings = bench.settings(made, "made")

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        pruning = Pruning(remote, bench.project, before.id)
        run(bench, settings, pruning, look(remote, settings))

    assert pruning.codes == [3, 0]
    assert bench.holds(made)


@pytest.mark.slow
def test_bases_in_two_images_that_share_one_of_them_are_both_written_out(bench: Bench) -> None:
    """The first layer is most like one of the other image than the second is, of equals."""
    below = {f"f{number}": unique(100_000) for number in range(9)}
    above = {f"g{number}": unique(100_000) for number in range(9)}
    one, other = (layer(below | {"f0": unique()}) for _ in range(2))
    while True:
        first, second = (image([low, layer(above)], label=unique(8).hex()) for low in (one, other))
        if (first.diff_ids[0] > second.diff_ids[0]) != (first.id > second.id):
            break
    bench.send(first, "first")
    bench.send(second, "second")
    made = image([layer(below | {"f1": unique()}), layer(above | {"g1": unique()})])
    settings = bench.settings(made, "made")

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        counting = Flipping(remote, [], times=0)
        run(bench, settings, counting, look(remote, settings))

    assert counting.codes == [0]
    assert bench.holds(made)


@pytest.mark.slow
def test_a_base_that_the_node_lost_is_no_hindrance(bench: Bench) -> None:
    files = {f"f{number}": unique(100_000) for number in range(9)}
    before = image([layer(files)])
    bench.send(before)
    made = image([layer(files | {"f4": unique(100_000)})])
    settings = bench.settings(made, "made")
    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        state = look(remote, settings)
        bench.project.ssh(f"podman rmi {before.id}")
        counting = Flipping(remote, [], times=0)
        run(bench, settings, counting, state)

    assert counting.codes == [3, 0]
    assert bench.holds(made)


@pytest.mark.slow
def test_a_base_that_the_node_cannot_write_out_is_done_without(bench: Bench) -> None:
    files = {f"f{number}": unique(100_000) for number in range(9)}
    before = image([layer(files)])
    bench.send(before)
    made = image([layer(files | {"f4": unique(100_000)})])
    settings = bench.settings(made, "made")
    upper = f"$(podman image inspect -f '{{{{.GraphDriver.Data.UpperDir}}}}' {before.id})"
    storage = "/var/lib/containers/storage/overlay-layers"
    bench.project.ssh(f"rm {storage}/$(basename $(dirname {upper})).tar-split.gz")

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        counting = Flipping(remote, [], times=0)
        run(bench, settings, counting, look(remote, settings))

    assert counting.codes == [3, 0]
    assert bench.holds(made)


def test_a_disk_without_room_is_found_before_anything_travels(bench: Bench) -> None:
    made = image([layer({"a": unique(MIB)})])
    place = write_layout(made, bench.folder / "layout")
    bench.project.ssh("mount -t tmpfs -o size=100m tmpfs /var/tmp")

    said = bench.project.fab("image-send", IMAGE=f"oci:{place}", IMAGE_CACHE=str(bench.folder))

    bench.project.ssh("umount /var/tmp")
    assert said.code == 1
    assert ": 105 MB free, 201 MB needed, 96.2 MB missing" in said.out
    assert "fab prune" in said.out
    assert bench.left() == ""


class Filling(Flipping):
    """A node whose disk somebody else fills when half of an image has arrived."""

    def __init__(self, remote: FabricRemote, fill: Callable[[], object]) -> None:
        super().__init__(remote, [])
        self.fill = fill

    def flipped(self, parts: Iterable[bytes]) -> Iterator[bytes]:
        went = 0
        for part in parts:
            went += len(part)
            if went > 4 * MIB:
                self.fill()
                went = 0
            yield part


INCOMING, SCRATCH = "/var/lib/corefab/images", "/var/tmp"  # noqa: S108 -- the node's


@pytest.mark.parametrize(
    "places",
    [
        pytest.param((INCOMING, SCRATCH), id="arriving"),
        pytest.param((SCRATCH,), id="assembling", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_fills_while_an_image_arrives_names_nothing_and_keeps_what_came(
    bench: Bench, places: tuple[str, ...]
) -> None:
    made = image([layer({"a": noise(8 * MIB, secrets.randbits(32))})])
    settings = bench.settings(made)
    for place in places:
        bench.project.ssh(f"mkdir -p {place}; mount -t tmpfs -o size=300m tmpfs {place}")
    fill = "; ".join(
        f"fallocate -l $(df --output=avail -B1 {place} | tail -n 1) {place}/full || true"
        for place in places
    )
    try:
        with session.open_session(Instance(bench.project.folder, settings)) as remote:
            filling = Filling(remote, lambda: bench.project.ssh(fill))
            with pytest.raises(DeployError, match="not enough disk space on the node"):
                run(bench, settings, filling, look(remote, settings))

        assert filling.codes == [6]
        assert not bench.holds(made)
        bench.project.ssh(" && ".join(f"rm {place}/full" for place in places))
        assert bench.sent(made) < 8 * MIB
        assert bench.holds(made)
    finally:
        bench.project.ssh("; ".join(f"umount {place}" for place in places))


def test_two_transfers_of_one_image_at_once_both_end_well(bench: Bench) -> None:
    made = image([layer({"a": noise(8 * MIB, secrets.randbits(32))})])
    place = write_layout(made, bench.folder / "layout")
    given = {"IMAGE": f"oci:{place}", "IMAGE_CACHE": str(bench.folder)}
    with (
        bench.project.start("image-send", **given) as one,
        bench.project.start("image-send", **given) as other,
    ):
        said = [process.communicate(timeout=240)[0] for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0], said
    assert bench.holds(made)


def test_two_transfers_of_two_images_at_once_both_end_well(bench: Bench) -> None:
    both = [image([layer({"a": noise(8 * MIB, secrets.randbits(32))})]) for _ in range(2)]
    given = [{"IMAGE": f"oci:{write_layout(made, bench.folder / made.id[7:])}"} for made in both]
    with (
        bench.project.start("image-send", **given[0], IMAGE_CACHE=str(bench.folder)) as one,
        bench.project.start("image-send", **given[1], IMAGE_CACHE=str(bench.folder)) as other,
    ):
        said = [process.communicate(timeout=240)[0] for process in (one, other)]

    assert [one.returncode, other.returncode] == [0, 0], said
    assert all(map(bench.holds, both))


@pytest.fixture
def second(bench: Bench) -> Iterator[Bench]:
    """Boot another node from the same spec, with the same cache here."""
    name = bench.project.settings["PROJECT"] + "b"
    bench.project.must("rehearsal-up", "--node", name)
    settings = bench.project.settings | {"PROJECT": name}
    yield Bench(Project(bench.project.folder, settings), bench.folder)
    bench.project.must("rehearsal-down", "--node", name)


@pytest.mark.slow
def test_two_nodes_at_once_share_one_compressing_of_each_layer(
    bench: Bench, second: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = noise(20 * MIB, secrets.randbits(32)).hex().encode()
    made = image([layer({"a": text})])
    settings = bench.settings(made)
    pieces = []

    def counted(data: bytes, into: Path, *, level: int, like: Path | None) -> None:
        pieces.append(len(data))
        compress(data, into, level=level, like=like)

    monkeypatch.setattr("deploy.image.wire.compress.compress", counted)
    nodes = [
        with_node(settings, str(one.project.node.address), None, None) for one in (bench, second)
    ]

    image_send([Instance(bench.project.folder, one) for one in nodes], events=False)

    assert bench.holds(made)
    assert second.holds(made)
    assert len(pieces) == 3


def test_a_node_that_cannot_be_reached_keeps_no_other_from_its_image(bench: Bench) -> None:
    made = image([layer({"a": unique()})])
    place = write_layout(made, bench.folder / "layout")
    nodes = f"core@{bench.project.node.address}:22,core@{bench.project.node.address}:9"

    said = bench.project.fab(
        "image-send", "--nodes", nodes, IMAGE=f"oci:{place}", IMAGE_CACHE=str(bench.folder)
    )

    assert said.code == 1
    assert "1 of 2 nodes did not receive the image" in said.out
    assert bench.holds(made)


@pytest.mark.core
def test_prune_removes_what_no_release_needs_and_nothing_else(bench: Bench) -> None:
    app = bench.project.settings["PROJECT"] + "-www"
    made = image([layer({"a": unique()})])
    bench.send(made)
    other, same = f"localhost/{app}2:1", "localhost/somebody:1"
    served = f"localhost/{app}:{json.loads(bench.project.must('status', '--json'))['slot']}"
    bench.project.ssh(
        f"podman tag {served} {other}; podman tag {made.id} {same} localhost/{app}:anchor"
    )
    names = "podman image ls --format '{{.Repository}}:{{.Tag}}' | sort"
    before = set(bench.project.ssh(names).split())

    bench.project.must("prune")

    after = set(bench.project.ssh(names).split())
    assert before - after == {f"localhost/{app}:sent", f"localhost/{app}:anchor"}
    assert {other, same, served} <= after
    bench.project.ssh(f"podman rmi {other} {same}")


def test_prune_removes_what_was_sent_and_followed_by_another(bench: Bench) -> None:
    sent, last, shared = (image([layer({"a": unique()})]) for _ in range(3))
    bench.send(shared, "shared")
    bench.project.ssh(f"podman tag {shared.id} localhost/somebody:2")
    bench.send(sent, "sent")
    bench.send(last, "last")
    bench.project.ssh("podman untag localhost/somebody:2 localhost/somebody:2")

    said = bench.project.must("prune")

    assert f"image {sent.id[7:19]}, formerly localhost/" in said
    left = bench.project.ssh("podman image ls --all --quiet --no-trunc")
    assert [one.id in left for one in (sent, last, shared)] == [False, False, True]
    bench.project.ssh(f"podman rmi {shared.id}")


@pytest.mark.slow
def test_prune_removes_images_that_were_built_on_one_another(bench: Bench) -> None:
    layers = [layer({"a": unique()}) for _ in range(3)]
    made = [image(layers[:count]) for count in (1, 2, 3)]
    for number, one in enumerate(made):
        bench.send(one, str(number))

    bench.project.must("prune")

    left = bench.project.ssh("podman image ls --all --quiet --no-trunc")
    assert [one.id in left for one in made] == [False, False, False]


def test_a_cache_that_holds_a_damaged_layer_does_no_harm(bench: Bench) -> None:
    made = image([layer({"a": unique(MIB)})])
    settings = bench.settings(made)
    cache = cache_of(Instance(bench.project.folder, settings))
    source = source_of(settings.image, bench.project.folder)
    source.export(source.image(), cache, ())
    file = bench.folder / "damaged"
    file.write_bytes(made.layers[0][:-1] + b"!")
    cache.add_layer(made.diff_ids[0], file)

    with session.open_session(Instance(bench.project.folder, settings)) as remote:
        counting = Flipping(remote, [], times=0)
        run(bench, settings, counting, look(remote, settings))

    assert counting.codes == [5, 0]
    assert bench.holds(made)
