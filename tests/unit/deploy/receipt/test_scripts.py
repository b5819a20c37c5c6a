"""A node keeps a receipt once its release is recorded, and tells exactly what it keeps."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.node.file import pack
from deploy.node.script import script_text
from deploy.receipt.plan.receipt import Signed
from deploy.receipt.store import NodeReceipts, files, last_on_node, on_node
from tests.unit.deploy.examples import manifest
from tests.unit.deploy.fake_remote import FakeRemote

pytestmark = pytest.mark.program
FIRST, SECOND = "20300601-120000-ab12", "20300602-120000-ab12"
# What of the machine the scripts would change.
STANDINS = """
one_at_a_time() { :; }
podman() { :; }
remove_files() { :; }
install_files() { :; }
has_route() { return 1; }
audit() { :; }
label() { :; }
renice() { :; }
home_of() { printf '%s' ROOT; }
"""


@dataclass(frozen=True)
class Machine:
    """The folder of an app on a machine."""

    root: Path
    bash: str

    def run(self, script: str, *words: str, stdin: bytes = b"") -> str:
        """Run a script, which must succeed."""
        text = script_text(script)
        own = STANDINS.replace("ROOT", str(self.root))
        # After the library, before the script itself.
        place = text.rindex("app=$1")
        done = subprocess.run(
            [self.bash, "-c", f"{text[:place]}{own}{text[place:]}", script, "shop-www", *words],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, b""), done.stderr
        return done.stdout.decode()

    def remote(self) -> FakeRemote:
        """Give the machine as a node that answers."""
        return FakeRemote(
            {"receipts": lambda command: self.run("receipts", *command.arguments[1:])}
        )

    def stage(self, release: str) -> None:
        """Stage a release."""
        folder = self.root / "releases" / release
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(manifest(release=release).model_dump_json())
        (self.root / "deploying").write_text(json.dumps({"release": release, "previous": ""}))

    def finish(self, release: str) -> None:
        """Record a release."""
        text = manifest(release=release, health="healthy").model_dump_json().encode()
        self.run("finish", release, "5", "{}", stdin=text)


@pytest.fixture
def machine(tmp_path: Path, program: Callable[[str], str]) -> Machine:
    for name in ("jq", "tar", "base64", "find"):
        program(name)
    return Machine(tmp_path / "shop-www", program("bash"))


def signed(release: str, content: bytes = b'{"a":1}') -> Signed:
    return Signed(release, content, b"-----BEGIN SSH SIGNATURE-----\nx\n")


def test_a_receipt_is_kept_when_its_release_is_recorded_not_before(machine: Machine) -> None:
    one = signed(FIRST, b'{"odd":"\xff\x00\n"}')
    machine.stage(FIRST)

    machine.run("receipt-stage", FIRST, stdin=pack(files(one, "receipt")))
    found, (release,) = on_node(machine.remote(), "shop-www")
    assert found == ()
    assert release.unfinished
    machine.finish(FIRST)

    found, (release,) = on_node(machine.remote(), "shop-www")
    assert found == (one,)
    assert (release.unfinished, release.failed, release.manifest.health) == (
        False,
        False,
        "healthy",
    )
    assert not list((machine.root / "releases" / FIRST).glob("receipt*"))


def test_a_release_that_a_node_made_by_itself_is_recorded_without_one(machine: Machine) -> None:
    machine.stage(FIRST)

    machine.finish(FIRST)

    assert on_node(machine.remote(), "shop-www")[0] == ()
    assert last_on_node(machine.remote(), "shop-www") is None


def test_the_last_receipt_is_told_alone(machine: Machine) -> None:
    for name in (FIRST, SECOND):
        machine.stage(name)
        machine.run("receipt-stage", name, stdin=pack(files(signed(name), "receipt")))
        machine.finish(name)

    assert last_on_node(machine.remote(), "shop-www") == signed(SECOND)
    answer = NodeReceipts.model_validate_json(machine.run("receipts", "last"))
    assert answer.releases == ()


def test_receipts_outlive_their_releases_and_are_replaced_by_those_that_are_sent(
    machine: Machine,
) -> None:
    machine.stage(FIRST)
    machine.run("receipt-stage", FIRST, stdin=pack(files(signed(FIRST), "receipt")))
    machine.finish(FIRST)
    (machine.root / "receipts" / f"{FIRST}.json.sig").unlink()
    (machine.root / "releases" / FIRST / "manifest.json").unlink()
    assert on_node(machine.remote(), "shop-www")[0] == (Signed(FIRST, b'{"a":1}', b""),)

    sent = [file for name in (FIRST, SECOND) for file in files(signed(name, b"{}"), name)]
    machine.run("receipts-keep", stdin=pack(sent))

    assert on_node(machine.remote(), "shop-www")[0] == (signed(FIRST, b"{}"), signed(SECOND, b"{}"))
    assert sorted(one.name for one in machine.root.iterdir()) == ["receipts", "releases"]
