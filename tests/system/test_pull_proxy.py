"""A machine without SSH that is born with its proxy and two apps, each with a certificate."""

import hashlib
import json
import os
import secrets
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rehearsal import places, ready, state
from tests.system import outside, visited
from tests.system.bundled import Shelf, audit_lines
from tests.system.outside import Outside
from tests.system.project import Project, make_project, write_settings
from tests.system.proxied import connected
from tests.system.rehearsal.nodes import require_nodes
from tests.system.visitors import Visits, visiting

pytestmark = [pytest.mark.node, pytest.mark.slow]
LIVE, STAGING = "example.org", "staging.example.org"
NAME = f"closed{os.getpid()}"
IMAGE, CADDY = f"localhost/corefab-{NAME}:latest", f"localhost/corefab-{NAME}-caddy:latest"
PAGE = "/run/corefab/proxy/status/status"
NEVER_HEALTHY = "ENV SPEAKS=nothing"
# Of a password that nobody knows.
CUT = (
    "add chain inet corefab cut { type filter hook output priority 0; policy drop; }\n"
    'add rule inet corefab cut oifname "lo" accept\n'
)
ONESHOT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n"
ONESHOT += "[Install]\nWantedBy=multi-user.target\n"
BROKEN = ONESHOT.replace("bin/true", "bin/false")
HASH = "$y$j9T$0123456789abcdef01234$0123456789012345678901234567890123456789012"
CLOSED = {
    "IMAGE": IMAGE, "TLS": "proxy", "CERT_FROM": "node", "CERT_NAMES": LIVE, "SSH": "off",
    "CONSOLE_PASSWORD_HASH": HASH, "PULL_EVERY": "*:*:0/5", "PULL_SPREAD": "0", "NOTIFY": "false",
    "WATCHDOG_SECONDS": "0", "HEALTH_PATH": "/", "PROJECT_FILES": "", "SMTP_HOST": "",
    "SETTLE_SECONDS": "0", "HEALTH_TIMEOUT_SECONDS": "30", "DATA_PARTITION": "kept-data",
    "DRAIN_SECONDS": "2", "PULL_NODE": "closed1",
}  # fmt: skip


@dataclass(slots=True)
class Machine(Project):
    """A project whose machine nobody logs in to; what it says is read from its files."""

    world: Outside = field(kw_only=True)
    kept: Path = field(kw_only=True)

    @property
    def app(self) -> str:
        return f"{self.settings['PROJECT']}-www"

    @property
    def proxy_image(self) -> str:
        return self.settings["PROXY_IMAGE"]

    def publish(self, page: str, *words: str, tag: str = "live", more: str = "") -> None:
        """Publish an image that shows a page."""
        visited.build(
            IMAGE, self.folder, f"{IMAGE.partition(':')[0]}:base", f"ENV GREETING={page}", more
        )
        self.must("publish", *words, PULL=f"{self.world.registry.address}/shop/www:{tag}")

    def publish_caddy(self, mark: str) -> str:
        """Publish an image of the proxy; return its id."""
        text = f"FROM {self.proxy_image}\nLABEL mark={mark}\n"
        words = ["podman", "build", "-q", "--format=docker", "-t", CADDY, "-f", "-"]
        subprocess.run(words, input=text.encode(), check=True, capture_output=True)
        self.must("publish", IMAGE=CADDY, PULL=f"{self.world.registry.address}/shop/caddy:live")
        look = ["podman", "image", "inspect", "--format", "sha256:{{.Id}}", CADDY]
        return subprocess.run(look, check=True, capture_output=True, text=True).stdout.strip()

    def boot(self, *words: str) -> None:
        """Boot a node from the Ignition file, and tell the authority where it is."""
        # The address of one that is there may be another.
        self.node_down()
        process = self.start("rehearsal-up", *words)
        try:
            self.world.visit(outside.await_address(self.settings["PROJECT"]))
        finally:
            said, _ = process.communicate(timeout=outside.PATIENCE_SECONDS)
        assert process.returncode == 0, said

    def await_page(self, name: str, wanted: str) -> None:
        try:
            outside.until(lambda: wanted if self.page(name) == wanted else "", f"{name}: {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.page(name)}; {self.said()}") from error

    def page(self, name: str) -> str:
        """Read the page that visitors see; in words why there is none."""
        trusted = ssl.create_default_context(cafile=str(self.world.authority))
        try:
            with connected(self, name, trusted=trusted) as connection:
                connection.request("GET", "/")
                return connection.getresponse().read().decode()
        except OSError as error:
            return str(error)

    def certificate(self, name: str) -> str:
        """Read the certificate that visitors see, as its hash."""
        trusted = ssl.create_default_context(cafile=str(self.world.authority))
        with connected(self, name, trusted=trusted) as connection:
            assert isinstance(connection.sock, ssl.SSLSocket)
            shown = connection.sock.getpeercert(binary_form=True)
        return hashlib.sha256(shown or b"").hexdigest()

    def status(self, app: str = "") -> dict[str, str]:
        """Read the result of an updater's last look; nothing before the first."""
        path = self.node.tree / f"var/lib/corefab/pull/{app or self.app}/status.json"
        return dict(json.loads(path.read_text())) if path.exists() else {}

    def await_result(self, wanted: str, app: str = "") -> dict[str, str]:
        try:
            outside.await_result(self.settings["PROJECT"], app or self.app, wanted)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.status(app)} {self.said()}") from error
        return self.status(app)

    def overlay(self, path: str, text: str, unit: str = "") -> None:
        """Have the machine spec bring a file, and a unit of it; an empty text takes it away."""
        file = self.folder / "butane/overlays/own.bu"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        if text:
            place = {"path": path, "contents": {"inline": text}}
            units = [{"name": unit, "enabled": True}] if unit else []
            found = {"variant": "fcos", "version": "1.4.0", "storage": {"files": [place]}}
            file.write_text(json.dumps(found | {"systemd": {"units": units}}))

    def configure(self, result: str) -> None:
        """Publish the machine's configuration, and wait for what comes of it."""
        said = self.must("publish", "--node")
        serial = int(said.rpartition("(serial ")[2].partition(")")[0])
        wanted = (serial, result)
        outside.until(lambda: "yes" if self.bundle() == wanted else "", f"bundle {result}")

    def command(self, *words: str) -> dict[str, str]:
        """Publish a command; wait until the node has noted what came of it."""
        said = self.must("node-command", *words)
        wanted = f"{said.rpartition('(serial ')[2].partition(')')[0]}: {words[0]}"
        outside.until(lambda: "yes" if self.noted(wanted) else "", wanted)
        (line,) = self.noted(wanted)
        return line

    def noted(self, wanted: str) -> list[dict[str, str]]:
        """Read the lines of the node's journal of changes about a command."""
        lines = audit_lines(self.node.tree)
        return [one for one in lines if one["what"] == "command" and wanted in one["detail"]]

    def bundle(self) -> tuple[int, str]:
        """Read the serial of the bundle that the node looked at last, and what came of it."""
        status = self.status("node")
        return int(status.get("serial", 0)), status.get("result", "")

    @property
    def shelf(self) -> Shelf:
        return Shelf(self.folder, self.world.registry.root)

    def await_refusal(self, why: str) -> None:
        """Wait until the node has refused its bundle, and says why."""
        assert self.await_why(why, "node") == "refused"

    def await_why(self, why: str, app: str = "") -> str:
        """Wait until an updater says why it did nothing; return its result."""
        outside.until(lambda: "yes" if why in self.status(app).get("why", "") else "", why)
        return self.status(app)["result"]

    def credential(self, app: str) -> str:
        """Read the credential that the app's container has; empty while it is not there."""
        home = self.node.tree / f"var/lib/{app}"
        serving = (home / "current").readlink()
        for slot in ("blue", "green"):
            if (home / slot).is_symlink() and (home / slot).readlink() == serving:
                words = ("podman", "exec", f"{app}-{slot}", "cat", "/run/secrets/token")
                return self.inside(*words)
        return ""

    def holding(self, text: str) -> str:
        """List the files of the node's disk and of the registry in which a text is."""
        found = [self.node.tree / one for one in ("etc", "var/lib", "var/log")]
        words = ["grep", "-rlsaF", text, *map(str, found), str(self.world.registry.store)]
        return subprocess.run(words, check=False, capture_output=True, text=True).stdout

    def inside(self, *words: str) -> str:
        """Run a command on the node by entering it: there is no login."""
        record = state.load(places.folder(self.settings["PROJECT"]))
        assert record
        return ready.inside(record.network, list(words), 20)

    def look(self, *words: str) -> dict[str, Any]:
        """Read what a command shows, as JSON."""
        return dict(json.loads(self.must(*words, "--json")))

    def said(self) -> str:
        units = ("corefab-proxy-pull", f"{self.app}-pull", "corefab-proxy-green")
        words = [word for unit in units for word in ("-u", unit)]
        return self.inside("journalctl", "--no-pager", "-n", "60", "-o", "cat", *words)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Publish two apps and the proxy, and boot a machine from one Ignition file."""
    require_nodes()
    folder = tmp_path_factory.mktemp("closed")
    with outside.running(folder, os.getpid() + 100) as world:
        made = make_project(
            folder / "project",
            NAME,
            **CLOSED,
            ACME_DIRECTORY=world.pebble.server.directory,
            ACME_ROOT=str(world.pebble.server.trust),
            PULL=f"{world.registry.address}/shop/www:live",
            PULL_ROOT=str(world.registry.root),
            PROXY_IMAGE=f"{world.registry.address}/shop/caddy:live",
        )
        machine = Machine(made.folder, made.settings, world=world, kept=folder / "kept")
        settings = machine.folder / ".env"
        settings.write_text(settings.read_text().replace("ENV_GREETING=", "# ENV_GREETING="))
        other = {
            "NAME": "staging",
            "CERT_NAMES": STAGING,
            "PULL": f"{world.registry.address}/shop/www:staging",
        }
        write_settings(machine.folder / ".env.staging", "", other)
        base = f"{IMAGE.partition(':')[0]}:base"
        try:
            machine.must("publish-key")
            machine.must("sample-build", IMAGE=base)
            machine.must("proxy-build")
            machine.publish_caddy("first")
            machine.publish("staged", tag="staging")
            machine.publish("one")
            machine.must("operator-key")
            machine.must("prepare", "--yes")
            machine.boot("--state", str(machine.kept))
            yield machine
        finally:
            machine.node_down()
            built = (IMAGE, base, CADDY, machine.proxy_image)
            subprocess.run(["podman", "rmi", "--force", "--ignore", *built], check=True)


@pytest.fixture
def visits(machine: Machine) -> Iterator[Visits]:
    """Have visitors of the live app all through a test, who notice nothing."""
    with visiting(machine.node.address, LIVE, machine.world.authority) as found:
        yield found
    assert found.failures == []
    assert found.answers > 0


def test_the_node_serves_both_names_with_certificates_of_the_authority(machine: Machine) -> None:
    machine.await_page(LIVE, "one")
    machine.await_page(STAGING, "staged")

    assert machine.world.pebble.orders == 2


def test_nothing_lets_anybody_in(machine: Machine) -> None:
    with pytest.raises(OSError), socket.create_connection((machine.node.address, 22), timeout=2):  # noqa: PT011
        pass
    units = ("sshd.service", "sshd-vsock.socket", "sshd-unix-local.socket")
    assert machine.inside("systemctl", "is-enabled", *units).split() == ["masked"] * len(units)
    assert machine.inside("ss", "-Hltn", "sport = :22") == ""
    assert HASH in machine.inside("getent", "shadow", "core")

    refused = machine.fab("status")

    assert refused.code != 0
    assert "the node has SSH=off" in refused.out
    assert "fab enrol" in refused.out
    assert "the node has SSH=off" in machine.fab("logs").out


def test_the_key_of_the_machine_is_pinned_by_the_fingerprint_of_its_console(
    machine: Machine,
) -> None:
    shown = outside.await_key(NAME)
    other = machine.fab("enrol", "--fingerprint", f"{shown[:-1]}_")
    assert other.code != 0
    assert "compare with the machine's console" in other.out

    machine.must("enrol", "--fingerprint", shown)

    assert (machine.folder / "certs/nodes/rehearsal.crt").exists()
    sealed = machine.node.tree / "etc/credstore.encrypted/corefab-node-key"
    assert sealed.stat().st_mode & 0o777 == 0o600
    # In clear it is nowhere on the disk: what is searched for is found where it is a control.
    assert (
        machine.inside("grep", "-rslI", "PRIVATE KEY-----", "/etc/corefab", "/var/lib/corefab")
        == ""
    )
    control = "/run/corefab-control"
    opened = ("systemd-creds", "decrypt", "--name=corefab-node-key")
    machine.inside(*opened, "/etc/credstore.encrypted/corefab-node-key", control)
    assert control in machine.inside("grep", "-rslI", "PRIVATE KEY-----", control)
    machine.inside("rm", control)


def test_commands_that_look_read_the_status_page(machine: Machine) -> None:
    for name in ("www", "staging"):
        machine.await_result("same", f"{NAME}-{name}")
    machine.inside("systemctl", "start", "corefab-status.service")

    for words, host in (([], LIVE), (["--name", "staging"], STAGING)):
        found = machine.look("status", *words)
        assert (found["health"], found["slot"], found["failed_units"]) == ("healthy", "blue", None)
        assert host in machine.fab("cert-status", *words).out
        (release,) = machine.look("releases", *words)["releases"]
        assert (release["release"], release["serves"]) == (found["release"], True)
        assert release["image_bytes"] > 0
        assert "pull" in machine.must("audit", *words)
        assert machine.look("pull-status", *words)["result"] == "same"
    assert int(machine.inside("stat", "-c", "%s", PAGE)) < 32_768


def test_a_page_that_is_altered_or_of_another_node_is_no_answer(machine: Machine) -> None:
    machine.inside("cp", PAGE, f"{PAGE}.kept")
    # The timer would make another one meanwhile.
    machine.inside("systemctl", "stop", "corefab-status.timer")
    machine.inside("bash", "-c", f"printf x | dd of={PAGE} bs=1 seek=900 conv=notrunc status=none")
    altered = machine.fab("status")
    machine.inside("mv", f"{PAGE}.kept", PAGE)
    assert altered.code != 0
    assert "does not open" in altered.out or "is not signed" in altered.out

    pinned = machine.folder / "certs/nodes/rehearsal.crt"
    kept = pinned.read_bytes()
    pinned.write_bytes((machine.folder / "certs/operator.crt").read_bytes())
    strange = machine.fab("releases")
    pinned.write_bytes(kept)
    assert strange.code != 0
    assert "is not signed by the key that is pinned" in strange.out

    machine.must("releases")
    machine.inside("systemctl", "start", "corefab-status.timer")


def test_the_proxy_was_taken_from_the_registry_signed(machine: Machine) -> None:
    status = machine.await_result("same", "corefab-proxy")

    assert status["reference"].endswith("/shop/caddy:live")
    assert machine.inside("systemctl", "list-units", "--failed", "--no-legend") == ""


def test_one_app_is_published_and_the_other_stays(machine: Machine, visits: Visits) -> None:
    machine.publish("two")

    machine.await_page(LIVE, "two")

    assert machine.page(STAGING) == "staged"


def test_a_bad_image_is_held_back(machine: Machine, visits: Visits) -> None:
    machine.publish("bad", more=NEVER_HEALTHY)

    machine.await_result("held-back")

    assert machine.page(LIVE) == "two"
    machine.must("withdraw")
    machine.await_result("same")


def test_another_image_of_the_proxy_is_taken_and_no_visitor_notices(
    machine: Machine, visits: Visits
) -> None:
    wanted = machine.publish_caddy("second")

    outside.await_image(NAME, "corefab-proxy", wanted)

    machine.await_result("same", "corefab-proxy")
    assert machine.world.pebble.orders == 2


def test_a_bundle_brings_files_and_units_and_takes_them_away(
    machine: Machine, visits: Visits
) -> None:
    machine.await_result("same", "node")
    machine.overlay("/etc/systemd/system/own.service", ONESHOT, "own.service")
    unit = machine.node.tree / "etc/systemd/system/own.service"
    before = (machine.node.tree / "etc/corefab/spec").read_text()

    machine.configure("same")

    assert unit.read_text() == ONESHOT
    assert (machine.node.tree / "etc/corefab/spec").read_text() != before
    assert machine.inside("systemctl", "is-active", "own.service").strip() == "active"
    line = audit_lines(machine.node.tree)[-1]
    assert (line["what"], line["result"]) == ("bundle", "ok")
    assert "file /etc/systemd/system/own.service" in line["detail"]
    machine.overlay("", "")

    machine.configure("same")

    assert not unit.exists()
    assert (machine.node.tree / "etc/corefab/spec").read_text() == before


def test_a_bundle_whose_unit_fails_is_put_back_and_held_back(
    machine: Machine, visits: Visits
) -> None:
    good = (machine.node.tree / "etc/corefab/spec").read_text()
    machine.overlay("/etc/systemd/system/own.service", BROKEN, "own.service")

    machine.configure("held-back")

    assert not (machine.node.tree / "etc/systemd/system/own.service").exists()
    assert (machine.node.tree / "etc/corefab/spec").read_text() == good
    failed = [one for one in audit_lines(machine.node.tree) if one["what"] == "bundle"][-1]
    assert failed["result"] == "failed"
    assert "own.service" in failed["detail"]


def test_a_bundle_that_cuts_the_network_undoes_itself(machine: Machine) -> None:
    machine.overlay("/etc/corefab/firewall.d/cut.nft", CUT)
    before = len(audit_lines(machine.node.tree))

    machine.configure("held-back")

    put_back, failed = audit_lines(machine.node.tree)[before : before + 2]
    assert put_back["what"] == "converge put back"
    assert "the next bundle could not be read" in put_back["detail"]
    assert failed["result"] == "failed"
    assert "chain cut" not in machine.inside("nft", "list", "table", "inet", "corefab")
    assert not (machine.node.tree / "etc/corefab/firewall.d/cut.nft").exists()
    machine.await_page(LIVE, "two")


def test_older_unsigned_and_other_nodes_bundles_are_refused(
    machine: Machine, visits: Visits
) -> None:
    older = machine.shelf.read()
    machine.overlay("/etc/own", "hello\n")
    machine.configure("same")

    machine.shelf.write(older)
    machine.await_refusal("is older than what it was before")
    machine.shelf.unsigned()
    machine.await_refusal("is not signed")
    machine.shelf.of_another("closed2")
    machine.await_refusal('is for node "closed2", and this is closed1')
    assert (machine.node.tree / "etc/own").read_text() == "hello\n"
    machine.configure("same")


def test_a_command_is_carried_out_once(machine: Machine) -> None:
    line = machine.command("restart")
    assert line["result"] == "ok"

    refused = machine.command("release", "--release", "20300615-120000-ab12")

    assert refused["result"] == "failed"
    assert "is not on this node" in refused["detail"]
    # The first one is still published beside it, and was not carried out again.
    assert machine.noted(line["detail"]) == [line]
    machine.await_page(LIVE, "two")


def test_images_are_held_taken_and_gone_back_from_by_commands(
    machine: Machine, visits: Visits
) -> None:
    before = (machine.node.tree / f"var/lib/{machine.app}/current").readlink().name
    assert machine.command("hold")["result"] == "ok"
    machine.publish("three")
    assert machine.await_why("a command holds it") == "waiting"

    assert machine.command("retry")["result"] == "ok"
    machine.await_page(LIVE, "three")
    assert machine.command("release", "--release", before)["result"] == "ok"

    machine.await_page(LIVE, "two")
    assert machine.await_why("was taken before") == "same"
    machine.must("withdraw")


def test_ssh_is_open_for_a_while_and_closes_by_itself_with_its_sessions(machine: Machine) -> None:
    line = machine.command("ssh-open", "--minutes", "1", "--key", "id.pub")
    assert line["result"] == "ok", line
    key = machine.inside("ssh-keygen", "-y", "-f", "/etc/ssh/ssh_host_ed25519_key")
    known = machine.folder / "opened"
    known.write_text(f"{machine.node.address} {key}")
    words = ["ssh", "-F", "none", "-o", f"UserKnownHostsFile={known}", "-o", "BatchMode=yes"]
    words += ["-i", str(machine.folder / "id"), f"core@{machine.node.address}"]

    done = subprocess.run([*words, "sudo", "id", "-un"], capture_output=True, text=True, check=True)
    session = subprocess.Popen([*words, "sleep", "600"])

    assert done.stdout == "root\n"
    session.wait(outside.PATIENCE_SECONDS)
    outside.until(
        lambda: "" if machine.inside("ss", "-Hltn", "sport = :22") else "yes", "port 22 closed"
    )
    with pytest.raises(OSError), socket.create_connection((machine.node.address, 22), timeout=2):  # noqa: PT011
        pass
    assert machine.inside("systemctl", "is-enabled", "sshd.service").strip() == "masked"
    outside.until(
        lambda: (
            ""
            if "22" in machine.inside("nft", "list", "set", "inet", "corefab", "tcp_ports_while")
            else "yes"
        ),
        "the element is gone",
    )


def test_after_a_restart_without_the_registry_the_page_is_there(machine: Machine) -> None:
    machine.world.registry.stop()
    try:
        machine.reboot()

        machine.await_page(LIVE, "two")
        machine.await_page(STAGING, "staged")
        machine.await_result("unreachable")
    finally:
        machine.world.registry.start()
    machine.await_result("same")


def test_born_again_it_has_the_same_certificate_from_a_proxy_by_its_digest(
    machine: Machine,
) -> None:
    before, ordered = machine.certificate(LIVE), machine.world.pebble.orders
    status = machine.await_result("same", "corefab-proxy")
    pinned = f"{status['reference'].rpartition(':')[0]}@{status['digest']}"
    machine.must("prepare", "--yes", PROXY_IMAGE=pinned)

    machine.boot("--state", str(machine.kept))

    machine.await_page(LIVE, "two")
    machine.await_page(STAGING, "staged")
    assert machine.certificate(LIVE) == before
    assert machine.world.pebble.orders == ordered
    assert machine.await_result("same", "corefab-proxy")["reference"] == pinned
    # The bundle was made for machines of earlier specs.
    assert machine.await_why("for machines of other specs", "node") == "waiting"


def test_an_app_gets_credentials_that_only_its_node_can_read(machine: Machine) -> None:
    env, app, secret = machine.folder / ".env.staging", f"{NAME}-staging", secrets.token_hex(20)
    before = env.read_text()
    env.write_text(f"{before}SECRET_TOKEN={secret}\n")
    try:
        machine.must("prepare", "--yes")
        machine.boot("--state", str(machine.kept))
        machine.await_page(LIVE, "two")
        assert machine.await_why("credentials that have not come: token", app) == "waiting"
        machine.must("enrol", "--fingerprint", outside.await_key(NAME))

        machine.must("creds-seal", "--name", "staging")

        machine.await_page(STAGING, "staged")
        assert machine.credential(app) == secret
        renewed = secrets.token_hex(20)
        env.write_text(f"{before}SECRET_TOKEN={renewed}\n")
        machine.must("creds-rotate", "token", "--name", "staging")
        outside.until(lambda: "yes" if machine.credential(app) == renewed else "", "the new value")
        machine.await_page(STAGING, "staged")
        assert machine.holding("corefab-bundle")
        for value in (secret, renewed):
            assert machine.holding(value) == ""
    finally:
        env.write_text(before)


def test_a_machine_of_a_providers_user_data_is_what_a_deploy_would_make(machine: Machine) -> None:
    with_ssh = {"SSH": "on", "DATA_PARTITION": ""}
    machine.must("prepare", "--yes", **with_ssh)
    spec = machine.folder / f"build/{machine.app}.ign"
    machine.must("cloud", "digitalocean", **with_ssh)
    packed = machine.folder / "build/cloud/digitalocean/user-data.ign"
    assert packed.stat().st_size < spec.stat().st_size / 2
    spec.write_bytes(packed.read_bytes())
    subprocess.run(["podman", "tag", CADDY, machine.proxy_image], check=True)

    machine.boot()

    machine.await_page(LIVE, "two")
    machine.await_page(STAGING, "staged")
    for words in ([], ["--name", "staging"]):
        tag = "staging" if words else "live"
        machine.publish("staged" if words else "two", *words, tag=tag)
        machine.await_result("same", f"{NAME}-{words[-1] if words else 'www'}")
        assert "nothing to do" in machine.must("deploy", "--wait", "120", *words, **with_ssh)
        assert "no drift" in machine.must("drift", *words, **with_ssh)
    assert "nothing to do" in machine.must("proxy-deploy", **with_ssh)
