"""A machine without SSH that is born with its proxy and two apps, each with a certificate."""

import os
import socket
import subprocess
from collections.abc import Iterator

import pytest

from tests.system import outside
from tests.system.closed import HASH, LIVE, Machine, closed
from tests.system.project import write_settings
from tests.system.rehearsal.nodes import require_nodes
from tests.system.visitors import Visits, visiting

pytestmark = [pytest.mark.node, pytest.mark.slow]
STAGING = "staging.example.org"
NAME = f"closed{os.getpid()}"
PAGE = "/run/corefab/proxy/status/status"
NEVER_HEALTHY = "ENV SPEAKS=nothing"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Publish two apps and the proxy, and boot a machine from one Ignition file."""
    require_nodes()
    folder = tmp_path_factory.mktemp("closed")
    with closed(folder, NAME, os.getpid() + 100) as machine:
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


def test_a_machine_of_a_providers_user_data_is_what_a_deploy_would_make(machine: Machine) -> None:
    with_ssh = {"SSH": "on", "DATA_PARTITION": ""}
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
