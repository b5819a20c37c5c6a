"""A whole look at a registry by the node's own scripts, with stand-ins for skopeo and systemd."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.bundle.plan.content import Author, Configuration, Contents, bundle
from deploy.bundle.plan.node_command import NodeCommand
from deploy.bundle.send import send
from deploy.node.file import File
from deploy.project import Project
from deploy.registry.publisher import Publisher
from deploy.spec.carried import BUNDLE_SCRIPTS, carried_scripts
from deploy.spec.plan.pull import node_bundle
from tests.unit.deploy.registry.fake_registry import FakeRegistry, digest

pytestmark = [pytest.mark.loopback, pytest.mark.program]
REPO = "shop/nodes/shop1"
BORN, NEW = "a" * 64, "b" * 64
# It reads files in which the registry's contents are, by tag and digest.
SKOPEO = """#!/bin/sh
[ ! -e cut ] || [ ! -e "$(cat cut)" ] || { echo 'connection refused' >&2; exit 1; }
for last; do
  case $last in docker://*) from=${last##*/} from=${from#*[:@]} ;; dir:*) into=${last#dir:} ;; esac
done
case "$*" in
  *' inspect '*) [ -e "registry/$from" ] || { echo 'manifest unknown' >&2; exit 1; }
    cat "registry/$from" ;;
  *) mkdir -p "$into" && cp registry/blobs/* "$into" && cp "registry/$from" "$into/manifest.json" ;;
esac
"""
SYSTEMCTL = '#!/bin/sh\necho "$@" >>systemctl.log\n[ "$1" != is-active ]\n'


@dataclass(frozen=True, slots=True)
class Node:
    """A node in a folder, and who publishes for it."""

    folder: Path
    registry: FakeRegistry
    publisher: Publisher
    bash: str

    @property
    def motd(self) -> Path:
        return self.folder / "motd"

    def publish(  # noqa: PLR0913 -- what a bundle may have that a node looks at
        self,
        text: str,
        *,
        owner: str = "",
        node: str = "shop1",
        made_for: str = BORN,
        path: str = "motd",
        after: str = "sysctl:",
        more: str = "",
        commands: tuple[NodeCommand, ...] = (),
    ) -> bytes:
        """Publish a bundle that writes a file; return the manifest."""
        owner = owner or f"{self.folder.owner()}:{self.folder.group()}"
        acts = f"file|{self.folder / path}|644|{owner}||{after}\n{more}"
        spec = self.folder / "etc/corefab/spec"
        acts += f"file|{spec}|644|{self.folder.owner()}:{self.folder.group()}||\n"
        files = (
            File("acts", acts.encode()),
            File(f"new{self.folder / path}", text.encode()),
            File(f"new{spec}", NEW.encode()),
        )
        serial = self.publisher.next_serial()
        made = Configuration(serial, NEW, (made_for, NEW), Author("ann"), files)
        send(self.publisher, bundle(node, serial, Contents(made, commands)))
        return self.registry.manifests[REPO, "now"][1]

    def look(self) -> dict[str, Any]:
        """Have the node look; return what it noted."""
        held, blobs = self.folder / "registry", self.folder / "registry/blobs"
        blobs.mkdir(parents=True, exist_ok=True)
        for (_, name), (_, manifest) in self.registry.manifests.items():
            (held / name).write_bytes(manifest)
        for (_, name), blob in self.registry.blobs.items():
            (blobs / name.removeprefix("sha256:")).write_bytes(blob)
        path = (
            f"{self.folder}/programs:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        )
        done = subprocess.run(
            [self.bash, f"{self.folder}/etc/corefab/pull/node/bundle.sh"],
            cwd=self.folder, env={"PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        status = self.folder / "var/lib/corefab/pull/node/status.json"
        assert status.exists(), done.stderr
        found = dict(json.loads(status.read_text()))
        bad = found["result"] in {"refused", "no-room", "failed"}
        assert done.returncode == bad, done.stderr
        return found

    def stand_in(self, name: str, text: str) -> None:
        """Put a program of a shell script in place of a real one."""
        (self.folder / "programs" / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.folder / "programs" / name).chmod(0o755)

    @property
    def converge(self) -> Path:
        return self.folder / "var/lib/corefab/converge"

    @property
    def audit(self) -> list[dict[str, Any]]:
        text = (self.folder / "var/lib/corefab/audit.log").read_text()
        return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def node(
    tmp_path: Path, project: Project, registry: FakeRegistry, program: Callable[[str], str]
) -> Node:
    for one in ("jq", "openssl", "tar", "flock"):
        program(one)
    own = tmp_path / "node"
    here = own / "etc/corefab/pull/node"
    for folder in (here / "keys", own / "programs", own / "run", own / "etc/systemd/system"):
        folder.mkdir(parents=True)
    (own / "etc/corefab/spec").write_text(BORN)
    (here / "keys/0.pub").write_bytes((project.folder / "certs/publish.pub").read_bytes())
    reference = node_bundle(project.settings)
    own_settings = {"reference": reference, "node": "shop1", "app": "shop-www", "login": False}
    (here / "settings.json").write_text(json.dumps({**own_settings, "http": False}))
    for name, content in carried_scripts(BUNDLE_SCRIPTS).items():
        (here / name).write_text(_moved(content.decode(), own))
    stands = {"skopeo": SKOPEO, "systemctl": SYSTEMCTL}
    quiet = ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles", "logger", "chattr", "sleep")
    for name, text in {**stands, **dict.fromkeys(quiet, "#!/bin/sh\n")}.items():
        (own / "programs" / name).write_text(text)
        (own / "programs" / name).chmod(0o755)
    return Node(own, registry, Publisher.of(project, reference), program("bash"))


def _moved(text: str, folder: Path) -> str:
    """Have a script work in a folder in place of the root, and wait for no other clock."""
    for path in ("/etc/corefab", "/etc/systemd/system", "/var/lib", "/run/corefab"):
        text = text.replace(path, f"{folder}{path}")
    # The priority of the session that runs the tests stays as it is.
    text = text.replace("/proc/self/autogroup", "/dev/null")
    text = text.replace("/usr/lib/systemd/system-generators/podman-system-generator", "true")
    assert "SECONDS + 45" in text or "await_right" not in text
    text = text.replace("gate=300", "gate=2")
    # The folder of a test is another user's, for whom root acts; here that is this process.
    return text.replace("SECONDS + 45", "SECONDS + 1").replace(
        "owner_above() {", "owner_above() { return 0; "
    )


def test_a_bundle_is_applied_once_and_noted(node: Node) -> None:
    node.publish("hello")

    first, again = node.look(), node.look()

    assert (first["result"], again["result"]) == ("updated", "same"), first
    assert (first["spec"], node.motd.read_text()) == (NEW, "hello")
    (line,) = node.audit
    assert (line["what"], line["result"]) == ("bundle", "ok")
    assert f"file {node.motd}" in line["detail"]
    assert "restart systemd-sysctl.service" in (node.folder / "systemctl.log").read_text()
    assert not (node.folder / "var/lib/corefab/converge").exists()


@pytest.mark.parametrize("serves", [True, False])
def test_a_machine_that_gets_its_first_app_in_a_bundle_restarts(
    node: Node, *, serves: bool
) -> None:
    if serves:
        (node.folder / "var/lib/shop-www/current").mkdir(parents=True)
    node.publish("[Container]", path="etc/containers/systemd/shop-www-blue.container")

    assert node.look()["result"] == "updated"

    said = (node.folder / "systemctl.log").read_text().splitlines()
    assert ("--no-block reboot" in said) is not serves


def test_without_a_bundle_nothing_is_done(node: Node) -> None:
    assert node.look()["why"] == "no bundle was published yet"


def test_a_bundle_of_which_an_act_fails_is_put_back_and_held_back(node: Node) -> None:
    node.publish("hello")
    node.look()
    node.publish("bad", owner="nosuchuser:nosuchgroup")

    first, again = node.look(), node.look()

    assert (first["result"], again["result"]) == ("failed", "held-back")
    assert f"not done: file {node.motd}" in first["why"]
    assert node.motd.read_text() == "hello"
    assert [one["what"] for one in node.audit] == ["bundle", "converge put back", "bundle"]
    node.publish("good")
    assert (node.look()["result"], node.motd.read_text()) == ("updated", "good")


def test_a_bundle_that_cuts_the_network_is_put_back(node: Node) -> None:
    (node.folder / "cut").write_text(str(node.motd))
    node.publish("cut")

    found = node.look()

    assert found["result"] == "failed"
    assert "the next bundle could not be read" in found["why"]
    assert not node.motd.exists()
    assert (node.folder / "etc/corefab/spec").read_text() == BORN
    assert node.look()["result"] == "held-back"


@pytest.mark.slow
def test_a_registry_that_goes_away_meanwhile_is_not_held_against_a_bundle(node: Node) -> None:
    gone = node.folder / "gone"
    (node.folder / "cut").write_text(str(gone))
    node.stand_in("systemctl", 'case "$*" in *sysctl*) : >gone ;; is-active*) exit 1 ;; esac')
    node.publish("hello")

    looks = []
    for _ in range(3):
        looks.append(node.look())
        assert not node.motd.exists()
        gone.unlink()

    assert [one["result"] for one in looks] == ["unreachable"] * 3
    assert "does not answer without it either" in looks[0]["why"]
    # It may be the bundle all the same.
    assert "begun 3 times" in node.look()["why"]
    node.stand_in("systemctl", "[ $1 != is-active ]")
    node.publish("again")
    assert (node.look()["result"], node.motd.read_text()) == ("updated", "again")


def test_an_older_bundle_is_refused(node: Node) -> None:
    older = node.publish("older")
    node.publish("newer")
    assert node.look()["result"] == "updated"
    node.registry.manifests[REPO, "now"] = ("", older)

    found = node.look()

    assert found["result"] == "refused"
    assert "is older than what it was before" in found["why"]
    assert node.motd.read_text() == "newer"


def test_what_is_not_signed_or_by_a_stranger_is_refused(node: Node) -> None:
    manifest = node.publish("hello")
    signed = f"{digest(manifest).replace(':', '-')}.sig"
    kept = node.registry.manifests.pop((REPO, signed))
    assert "is not signed" in node.look()["why"]
    node.registry.manifests[REPO, signed] = kept
    key = node.folder / "etc/corefab/pull/node/keys/0.pub"
    own, strange = key.read_bytes(), subprocess.run(
        ["sh", "-c", "openssl ecparam -genkey -name prime256v1 | openssl ec -pubout"],
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    key.write_bytes(strange)
    assert "none of PULL_KEYS has signed" in node.look()["why"]
    assert not node.motd.exists()

    key.write_bytes(own)

    assert node.look()["result"] == "updated"


def test_another_nodes_bundle_is_refused_and_one_for_another_spec_waits(node: Node) -> None:
    node.publish("hello", node="shop2")
    refused = node.look()
    node.publish("hello", made_for="c" * 64)
    waiting = node.look()

    assert (refused["result"], waiting["result"]) == ("refused", "waiting")
    assert 'for node "shop2", and this is shop1' in refused["why"]
    assert "for machines of other specs" in waiting["why"]
    assert not node.motd.exists()


def test_a_bundle_that_never_finishes_is_given_up(node: Node) -> None:
    node.publish("hello")
    state = node.folder / "var/lib/corefab/pull/node/state.json"
    node.look()
    noted = json.loads(state.read_text())
    node.motd.write_text("by hand")
    state.write_text(json.dumps({**noted, "result": "trying", "tries": 3, "digest": ""}))

    found = node.look()

    assert found["result"] == "failed"
    assert "begun 3 times" in found["why"]
    assert node.motd.read_text() == "by hand"


def test_commands_are_carried_out_also_where_the_files_are_refused(node: Node) -> None:
    pull = node.folder / "etc/corefab/pull/shop-www"
    pull.mkdir()
    (pull / "pull.sh").write_text("")
    before_it_was_made = NodeCommand(5, 2**40, ("hold", "shop-www"), "ann")
    command = NodeCommand(2**43, 2**40, ("hold", "shop-www"), "bob")
    node.publish("hello", made_for="c" * 64, commands=(before_it_was_made, command))

    node.look()
    node.look()

    assert (node.folder / "var/lib/corefab/pull/shop-www/hold").exists()
    (line,) = node.audit
    assert (line["what"], line["who"], line["result"]) == ("command", "bob", "ok")


def test_a_full_disk_is_not_the_bundles_fault(node: Node) -> None:
    node.stand_in("chown", "echo 'chown: No space left on device' >&2; exit 1")
    node.publish("hello")
    full = [node.look() for _ in range(4)]
    assert {one["result"] for one in full} == {"no-room"}
    assert not node.motd.exists()

    (node.folder / "programs/chown").unlink()

    assert (node.look()["result"], node.motd.read_text()) == ("updated", "hello")


def test_what_cannot_be_reloaded_does_not_keep_a_bundle_from_being_undone(node: Node) -> None:
    node.stand_in("systemd-tmpfiles", "exit 73")
    node.publish("hello", after="tmpfiles: firewall:")

    found = node.look()

    assert found["result"] == "failed"
    assert "not reloaded: tmpfiles" in found["why"]
    assert not node.motd.exists()
    assert not (node.converge / "armed").exists()
    assert "converge put back" in [one["what"] for one in node.audit]
    said = (node.folder / "systemctl.log").read_text()
    assert said.count("reload-or-restart corefab-firewall.service") == 2


def test_a_unit_that_never_starts_does_not_keep_a_bundle_from_being_undone(node: Node) -> None:
    node.stand_in(
        "systemctl",
        'case "$*" in is-*) exit 1 ;; *enable*hangs.service) exec tail -f /dev/null ;; esac',
    )
    node.publish("hello", more="enable|hangs.service||||\n")

    found = node.look()

    assert found["result"] == "failed"
    assert "not done: enable hangs.service: it did not end in time" in found["why"]
    assert not node.motd.exists()


@pytest.mark.parametrize(
    ("timer", "service", "result"),
    [(True, True, "waiting"), (False, True, "updated"), (True, False, "updated")],
)
def test_an_earlier_change_without_a_timer_that_will_undo_it_is_undone(
    node: Node, *, timer: bool, service: bool, result: str
) -> None:
    other = node.folder / "other"
    other.write_text("cut")
    node.converge.mkdir(parents=True)
    for name, text in {"armed": "ab12\n", "acts": "", "back": f"remove|{other}|||\n"}.items():
        (node.converge / name).write_text(text)
    node.stand_in(
        "systemctl",
        f"""case "$*" in
  *is-active*put-back.timer) exit {0 if timer else 1} ;;
  *is-failed*put-back.service) exit {1 if service else 0} ;;
  is-*) exit 1 ;;
esac""",
    )
    node.publish("hello")

    assert node.look()["result"] == result

    assert other.exists() is (result == "waiting")
    assert node.motd.exists() is (result == "updated")
