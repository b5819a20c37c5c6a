"""A machine without SSH that is born with its proxy and two apps, each with a certificate."""

import gzip
import json
import os
import secrets
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.system import outside
from tests.system.bundled import audit_lines
from tests.system.closed import HASH, LIVE, Machine, closed
from tests.system.project import write_settings
from tests.system.rehearsal.nodes import require_nodes
from tests.system.visitors import Visits

pytestmark = [pytest.mark.node, pytest.mark.slow]
STAGING = "staging.example.org"
NAME = f"closed{os.getpid()}"
PAGE = "/run/corefab/proxy/status/status"
NEVER_HEALTHY = "ENV SPEAKS=nothing"
CUT = (
    "add chain inet corefab cut { type filter hook output priority 0; policy drop; }\n"
    'add rule inet corefab cut oifname "lo" accept\n'
)
ONESHOT = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/bin/true\n"
ONESHOT += "[Install]\nWantedBy=multi-user.target\n"
BROKEN = ONESHOT.replace("bin/true", "bin/false")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Publish two apps and the proxy, and boot a machine from one Ignition file."""
    require_nodes()
    folder = tmp_path_factory.mktemp("closed")
    with closed(folder, NAME, os.getpid() + 100, PULL_NODE="closed1") as machine:
        other = {
            "NAME": "staging",
            "CERT_NAMES": STAGING,
            "PULL": f"{machine.world.registry.address}/shop/www:staging",
        }
        write_settings(machine.folder / ".env.staging", "", other)
        machine.publish("staged", tag="staging")
        machine.publish("one")
        machine.must("operator-key")
        machine.must("prepare", "--yes")
        machine.boot("--state", str(machine.kept))
        yield machine


@pytest.fixture
def visits(machine: Machine) -> Iterator[Visits]:
    """Have visitors of the live app all through a test, who notice nothing."""
    with machine.visited() as found:
        yield found


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
    found = machine.look("proxy-status")
    assert (found["app"], found["health"]) == ("corefab-proxy", "healthy")
    assert int(machine.inside("stat", "-c", "%s", PAGE)) < 32_768


def test_drift_is_found_by_a_page_of_its_own(machine: Machine) -> None:
    for words in ([], ["--name", "staging"]):
        assert "no drift" in machine.must("drift", *words)
    unit = f"/etc/containers/systemd/{NAME}-www-blue.container"
    firewall = "/etc/corefab/firewall.nft"
    machine.inside("bash", "-c", f"echo '#' >>{unit}; chmod 666 {firewall}")
    machine.inside("systemctl", "start", "corefab-status.service", seconds=60)

    changed = machine.fab("drift", "--json")

    machine.inside("bash", "-c", f"sed -i '$ d' {unit}; chmod 644 {firewall}")
    assert changed.code == 2, changed.out
    findings = json.loads(changed.out)["findings"]
    found = {(one["what"], one["subject"], one["remedy"]) for one in findings}
    assert found == {("file", unit, "reinstall"), ("mode", firewall, "reinstall")}


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


def test_app_and_proxy_are_updated_at_once_and_no_visitor_notices(
    machine: Machine, visits: Visits
) -> None:
    names = (machine.app, "corefab-proxy")
    machine.inside("systemctl", "stop", *(f"{name}-pull.timer" for name in names))
    wanted = machine.publish_caddy("third")
    machine.publish("three")

    machine.inside("systemctl", "start", *(f"{name}-pull.service" for name in names), seconds=200)

    assert [machine.status(name)["result"] for name in names] == ["updated"] * 2
    assert machine.status("corefab-proxy")["image_id"] == wanted
    assert machine.page(LIVE) == "three"
    machine.must("withdraw")
    machine.inside("systemctl", "start", *(f"{name}-pull.timer" for name in names))
    machine.await_page(LIVE, "two")
    machine.await_result("same")


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


def test_what_a_node_collects_is_shown_from_its_page(machine: Machine) -> None:
    assert machine.command("collect")["result"] == "ok"

    outside.until(
        lambda: "yes" if machine.fab("node-collected").code == 0 else "", "what was collected"
    )

    shown = machine.must("node-collected")
    for part in ("# df -h", "table inet corefab", f"{machine.app}-", "# journalctl -b"):
        assert part in shown, part


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
    # Its commands were for the machine before.
    assert machine.noted("") == []


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
        assert machine.credential("staging") == secret
        renewed = secrets.token_hex(20)
        env.write_text(f"{before}SECRET_TOKEN={renewed}\n")
        machine.must("creds-rotate", "token", "--name", "staging")
        outside.until(
            lambda: "yes" if machine.credential("staging") == renewed else "", "the new value"
        )
        machine.await_page(STAGING, "staged")
        control = _spread(machine)
        assert machine.holding(control) == {"disk", "journal", "registry"}
        for value in (secret, renewed):
            assert machine.holding(value) == set()
        # Of systemd, which decrypts it, and of the container.
        slot = machine.container("staging")
        of_systemd = f"/run/credentials/{slot}.service/token"
        assert machine.in_memory(renewed) == {of_systemd, f"/run/{slot}/secrets/token"}
    finally:
        env.write_text(before)


def test_where_user_data_has_no_room_the_apps_come_in_the_bundle(machine: Machine) -> None:
    # What is packed says nothing of file systems to a rehearsal node.
    whole = {"DATA_PARTITION": ""}
    machine.must("prepare", "--yes", **whole)
    assert "without the files of the apps" in machine.must("cloud", "digitalocean", **whole)
    machine.must("publish", "--node", **whole)
    packed = machine.folder / "build/cloud/digitalocean/user-data.ign"
    (machine.folder / f"build/{machine.app}.ign").write_bytes(packed.read_bytes())

    machine.boot()

    machine.await_page(LIVE, "two")
    machine.await_page(STAGING, "staged")
    assert machine.await_result("same", "node")["spec"]


def _spread(machine: Machine) -> str:
    """Put a text where a secret must not be; return it."""
    text = secrets.token_hex(20)
    (machine.node.tree / "var/lib/corefab/control").write_text(text)
    machine.inside("logger", text)
    (machine.world.registry.store / "control").write_bytes(gzip.compress(text.encode()))
    return text


def test_a_machine_of_a_providers_user_data_is_what_a_deploy_would_make(machine: Machine) -> None:
    with_ssh = {"SSH": "on", "DATA_PARTITION": "", "PULL_NODE": ""}
    machine.must("prepare", "--yes", **with_ssh)
    spec = machine.folder / f"build/{machine.app}.ign"
    machine.must("cloud", "digitalocean", **with_ssh)
    packed = machine.folder / "build/cloud/digitalocean/user-data.ign"
    assert packed.stat().st_size < spec.stat().st_size / 2
    spec.write_bytes(packed.read_bytes())
    subprocess.run(["podman", "tag", machine.caddy, machine.proxy_image], check=True)

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
