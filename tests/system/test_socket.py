"""SWITCH=socket: two slots on the same listening sockets, and to and from the other ways."""

import base64
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.images import build_image, remove_images
from tests.system.conftest import NAME, authority
from tests.system.page import get
from tests.system.project import Project
from tests.system.test_faults import release_of, stopped_after
from tests.system.visitors import Visits, visiting

pytestmark = pytest.mark.node
SILENT = (
    "import os, socket as s, time; "
    "s.socket(s.AF_UNIX, s.SOCK_DGRAM).sendto(b'READY=1', os.environ['NOTIFY_SOCKET']); "
    "time.sleep(900)"
)
# Uses the node's own sockets to connect, and to listen, as an app could that was taken over.
TAKEN_OVER = """
import ctypes, os, select, socket as s
def accepted_one():
    select.select([listener], [], [])
    try:
        return listener.accept()[0]
    except BlockingIOError:  # the other slot took it
        return accepted_one()
def attempt(what, one, port):
    try:
        one.settimeout(2)
        one.connect(("::ffff:127.0.0.1", port))
        print("reaches", what, flush=True)
    except OSError:
        print("reaches not", what, flush=True)
listener = s.socket(fileno=3)
s.socket(s.AF_UNIX, s.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
accepted = [accepted_one() for _ in range(3)]
for one in accepted:
    assert ctypes.CDLL(None).connect(one.fileno(), bytes(16), 16) == 0  # AF_UNSPEC: disconnect
attempt("sshd by an accepted socket", accepted[0], 22)
accepted[1].bind(("::", 2222))
accepted[1].listen()
attempt("itself by an accepted socket", accepted[2], 2222)
listener.shutdown(s.SHUT_RDWR)
attempt("sshd by the listening socket", listener, 22)
print("tried", flush=True)
"""
UNDER_WAY = (
    "project files",
    " started",
    "reported that it is healthy",
    "socket moved",
    "HTTPS endpoint",
)


def drift(project: Project) -> set[tuple[str, str]]:
    """Find what differs on the node; tests of keys that ran before may have left some."""
    found = json.loads(project.fab("drift", "--json").out)["findings"]
    return {(one["what"], one["subject"]) for one in found}


@pytest.fixture(scope="module")
def by_socket(deployed: Project) -> Iterator[set[tuple[str, str]]]:
    """Serve by the socket for the module; visitors notice neither the change nor the way back.

    Hands out the drift that was there before.
    """
    environment = deployed.folder / ".env"
    before = drift(deployed)
    usual = environment.read_text()
    with visiting(deployed.node.address, NAME, authority(deployed)) as there:
        environment.write_text(usual.replace("SWITCH=slots", "SWITCH=socket"))
        deployed.must("deploy")
    yield before
    environment.write_text(usual)
    with visiting(deployed.node.address, NAME, authority(deployed)) as back:
        deployed.must("deploy")
    assert (there.failures, back.failures) == ([], [])
    app = deployed.settings["PROJECT"] + "-www"
    left = f"ls -d /etc/systemd/system/{app}.socket* 2>/dev/null || true"
    assert deployed.ssh(f"systemctl is-active {app}.socket || true; {left}") == "inactive\n"


@pytest.fixture
def visits(by_socket: object, visits: Visits) -> Visits:
    """Have the visitors come by the socket."""
    return visits


def test_the_ports_are_systemds_and_no_rule_leads_elsewhere(
    by_socket: set[tuple[str, str]], serving: Project
) -> None:
    app = serving.settings["PROJECT"] + "-www"

    said = serving.ssh(
        f"nft list table inet {app}-door | grep -c elements || true; "
        f"systemctl show -P Triggers {app}.socket; "
        "ss -Hltn '( sport = :443 or sport = :80 )' | wc -l"
    ).splitlines()

    assert (said[0], said[2]) == ("0", "2")
    assert f"{serving.container()}.service" in said[1]
    assert drift(serving) <= by_socket


def test_no_visitor_notices_deploys_and_rollbacks(serving: Project, visits: Visits) -> None:
    before = serving.container()

    serving.must("deploy", ENV_GREETING="other")

    assert serving.container() != before
    serving.must("rollback")
    assert serving.container() == before
    serving.must("deploy")


@pytest.mark.slow
def test_a_container_that_is_taken_over_uses_no_socket_of_the_node(
    serving: Project, by_socket: object
) -> None:
    # It also shuts the listening socket, so visitors notice.
    program = base64.b64encode(TAKEN_OVER.encode()).decode()
    since = serving.ssh("date +%s").strip()
    limits = {"HEALTH_TIMEOUT_SECONDS": "15", "STOP_SECONDS": "1"}
    before = release_of(serving)

    with image_that_runs(serving, f"import base64; exec(base64.b64decode('{program}'))") as taken:
        said = serving.fab("deploy", IMAGE=taken, **limits)

    app = serving.settings["PROJECT"] + "-www"
    tried = serving.ssh(
        f"journalctl -q -o cat --since=@{since} CONTAINER_NAME={app}-blue "
        f"+ CONTAINER_NAME={app}-green | grep -E '^(reaches|listens|tried)'"
    )
    assert tried == (
        "reaches not sshd by an accepted socket\n"
        "reaches not itself by an accepted socket\n"
        "reaches not sshd by the listening socket\n"
        "tried\n"
    )
    assert said.code == 1
    assert "serves again, proven over HTTPS" in said.out
    assert release_of(serving) == before


@contextmanager
def image_that_runs(project: Project, program: str) -> Iterator[str]:
    """Build an image of the sample's that runs something else, and has no supervisor."""
    image = project.settings["IMAGE"]
    name = image.replace("test", "other")
    entry = f'ENTRYPOINT ["/usr/bin/python3", "-c", "{program}"]'
    text = f'FROM {image}\nLABEL io.corefab.status=""\n{entry}\n'
    build_image(name, text, project.folder)
    yield name
    remove_images(name)


def test_a_release_that_dies_at_once_takes_no_visitor(serving: Project, visits: Visits) -> None:
    before = release_of(serving)

    with image_that_runs(serving, "import sys; sys.exit(3)") as dying:
        said = serving.fab("deploy", IMAGE=dying)

    assert said.code == 1
    assert "serves again, proven over HTTPS" in said.out
    assert release_of(serving) == before
    # A slot that starts takes the flag from the sockets, which the other slot has too.
    flags = serving.ssh(
        f"pid=$(podman inspect --format '{{{{.State.Pid}}}}' {serving.container()}); "
        "sed -n 's/^flags:[[:space:]]*//p' /proc/$pid/fdinfo/3"
    )
    assert int(flags, 8) & os.O_NONBLOCK


@pytest.mark.slow
@pytest.mark.parametrize("line", UNDER_WAY)
def test_a_kill_at_any_step_is_noticed_by_no_visitor(
    serving: Project, visits: Visits, line: str
) -> None:
    stopped_after(serving, line, signal.SIGKILL)

    serving.must("deploy")


@pytest.mark.slow
def test_a_release_whose_proof_fails_gives_the_socket_back(
    serving: Project, by_socket: object
) -> None:
    # Visitors meet it for a moment: with one accept queue, none can be kept from a ready release.
    before, container = release_of(serving), serving.container()

    with image_that_runs(serving, SILENT) as silent:
        said = serving.fab("deploy", IMAGE=silent, HEALTH_TIMEOUT_SECONDS="2", STOP_SECONDS="1")

    assert said.code == 1
    assert "serves again, proven over HTTPS" in said.out
    assert (release_of(serving), serving.container()) == (before, container)


@pytest.mark.slow
def test_every_way_leads_to_every_other(serving: Project, visits: Visits) -> None:
    serving.must("deploy", SWITCH="slots")
    serving.must("deploy")
    assert "the front door held" in serving.must("deploy", SWITCH="restart", ENV_GREETING="r")
    assert "the front door held" not in serving.must("deploy")


@pytest.mark.slow
def test_other_ports_are_opened_where_the_old_release_stopped(
    serving: Project, visits: Visits
) -> None:
    said = serving.must("deploy", HTTP_PORT="8085")

    assert "the front door held" in said
    serving.must("deploy")


@pytest.mark.slow
def test_a_socket_that_somebody_stopped_is_opened_again(
    by_socket: object, serving: Project
) -> None:
    app = serving.settings["PROJECT"] + "-www"
    serving.ssh(f"systemctl stop {app}.socket")

    assert "front door: the socket is not open" in serving.must("deploy")


@pytest.mark.slow
def test_after_a_reboot_the_release_that_served_takes_the_socket(
    by_socket: object, serving: Project
) -> None:
    before = serving.container()

    serving.reboot()

    until = f"until systemctl -q is-active {before}; do sleep 0.2; done"
    serving.ssh(f"timeout 40 bash -c '{until}'")
    assert get(serving.node.address, 443, NAME, authority(serving))[0] == 200
    assert serving.container() == before
