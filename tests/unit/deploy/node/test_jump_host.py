"""A node behind a jump host or a ProxyCommand: each host on the way shows a known key."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import paramiko
import pytest

from deploy.errors import DeployError
from deploy.node.bulk import ssh_command
from deploy.node.command import Command
from deploy.node.known_hosts import pin, pinned
from deploy.node.login import connect, read_host_key
from deploy.node.script import command_line, packed
from deploy.node.target import Target
from deploy.node.trust import trust
from deploy.project import Project
from tests.unit.deploy.examples import settings
from tests.unit.deploy.ssh_server import Node, new_identity, running

pytestmark = pytest.mark.loopback
# Connects its input and output to a port here.
RELAY = """
import os, socket, sys, threading
link = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def back():
    while part := link.recv(65536):
        os.write(1, part)
threading.Thread(target=back, daemon=True).start()
while part := os.read(0, 65536):
    link.sendall(part)
"""


@dataclass(frozen=True)
class Way:
    """A node that only its jump host reaches, by the name `inner`."""

    node: Node
    jump: Node
    target: Target


@pytest.fixture
def way(node: Node, target: Target, home: Path) -> Iterator[Way]:
    with running() as jump:
        jump.behind["inner.test"] = node.port
        jump.let_in(new_identity(home / ".ssh/id_ed25519"), "hop")
        pin(target.known_hosts, "127.0.0.1", jump.port, (jump.host_line,))
        pin(target.known_hosts, "inner.test", None, (node.host_line,))
        (home / ".ssh/config").write_text(
            f"Host inner\n HostName inner.test\n ProxyJump hop@127.0.0.1:{jump.port}\n"
        )
        yield Way(node, jump, replace(target, host="inner", port=None))


def refusal(target: Target) -> DeployError:
    with pytest.raises(DeployError) as caught, connect(target, None):
        pytest.fail("logged in")
    return caught.value


def works(target: Target, node: Node) -> bool:
    node.scripts["undo"] = lambda *_: 0
    with connect(target, None) as remote:
        return remote.run(Command("undo")).code == 0


def test_a_node_behind_a_jump_host_is_logged_in_to(way: Way) -> None:
    assert works(way.target, way.node)
    (hop,) = way.jump.transports
    hop.join(5)
    assert not hop.is_active()


def test_an_unknown_key_of_a_jump_host_stops_before_the_login_to_it(way: Way) -> None:
    pin(way.target.known_hosts, "127.0.0.1", way.jump.port, ())

    error = refusal(way.target)

    shown = way.jump.fingerprint
    assert error.message == (
        f"the host key of 127.0.0.1:{way.jump.port} is not pinned: it shows {shown}"
    )
    assert f"`fab -H hop@127.0.0.1:{way.jump.port} trust --fingerprint {shown}`" in error.hint
    assert not any(one.is_authenticated() for one in way.jump.transports)


def test_a_changed_key_of_a_jump_host_stops_before_the_login_to_it(way: Way) -> None:
    pin(way.target.known_hosts, "127.0.0.1", way.jump.port, (way.node.host_line,))

    assert f"the host key of 127.0.0.1:{way.jump.port} has changed" in refusal(way.target).message
    assert not any(one.is_authenticated() for one in way.jump.transports)


def test_a_jump_host_that_lets_nobody_in_is_named(way: Way) -> None:
    way.jump.users.clear()

    error = refusal(way.target)
    assert error.message == f"127.0.0.1:{way.jump.port} does not let hop in"
    assert "jump host" in error.hint


def test_a_jump_host_that_is_down_is_named(way: Way, home: Path) -> None:
    (home / ".ssh/config").write_text("Host inner\n ProxyJump hop@127.0.0.1:1\n")

    error = refusal(way.target)
    assert error.message.startswith("127.0.0.1:1 cannot be reached: ")
    assert "jump host" in error.hint


def test_several_jump_hosts_are_visited_in_the_order_of_the_config(way: Way, home: Path) -> None:
    with running() as first:
        first.behind["second.test"] = way.jump.port
        first.users["hop"] = way.jump.users["hop"]
        pin(way.target.known_hosts, "127.0.0.1", first.port, (first.host_line,))
        pin(way.target.known_hosts, "second.test", None, (way.jump.host_line,))
        (home / ".ssh/config").write_text(
            f"Host inner\n HostName inner.test\n"
            f" ProxyJump hop@127.0.0.1:{first.port},hop@second.test\n"
        )

        assert works(way.target, way.node)


def test_jump_hosts_that_lead_to_each_other_are_refused(way: Way, home: Path) -> None:
    (home / ".ssh/config").write_text(
        "Host inner\n ProxyJump one.test\n"
        "Host one.test\n ProxyJump two.test\nHost two.test\n ProxyJump one.test\n"
    )

    error = refusal(way.target)
    assert error.message == "the jump hosts one.test and two.test lead to each other"
    assert "ProxyJump" in error.hint


def test_proxyjump_none_means_no_jump_host(node: Node, target: Target, home: Path) -> None:
    (home / ".ssh/config").write_text("Host 127.0.0.1\n ProxyJump none\n")

    assert works(target, node)


def test_trust_pins_the_key_of_the_node_behind_the_jump_host(way: Way, tmp_path: Path) -> None:
    given = Project(tmp_path, settings(NODE_ADDRESS="inner", KNOWN_HOSTS="known_hosts"))
    pin(way.target.known_hosts, "inner.test", None, ())

    trust(given, fingerprint=way.node.fingerprint)

    assert pinned(way.target.known_hosts, "inner.test", None) == (way.node.host_line,)


def test_trust_reads_no_key_through_a_jump_host_that_is_not_known(way: Way) -> None:
    pin(way.target.known_hosts, "127.0.0.1", way.jump.port, ())

    with pytest.raises(DeployError, match="is not pinned"):
        read_host_key(way.target)


@pytest.fixture
def proxied(node: Node, target: Target, home: Path, tmp_path: Path) -> Target:
    """A node that only a ProxyCommand reaches."""
    (tmp_path / "relay.py").write_text(RELAY)
    (home / ".ssh/config").write_text(
        f"Host inner\n HostName inner.test\n"
        f" ProxyCommand {sys.executable} {tmp_path}/relay.py {node.port}\n"
    )
    pin(target.known_hosts, "inner.test", None, (node.host_line,))
    return replace(target, host="inner", port=None)


@pytest.mark.program
def test_the_host_key_is_read_through_a_proxy_command(node: Node, proxied: Target) -> None:
    assert read_host_key(proxied) == (node.host_line, node.fingerprint)


def run_ssh(target: Target, node: Node) -> subprocess.CompletedProcess[bytes]:
    """Run a script of the node through the system's ssh."""

    def script(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(b"ran")
        return 0

    node.scripts["undo"] = script
    with connect(target, None) as remote, ssh_command(remote) as words:
        return subprocess.run(
            [*words, command_line(Command("undo"))],
            input=packed("undo"),
            capture_output=True,
            check=False,
        )


@pytest.mark.program
def test_the_systems_ssh_goes_by_the_same_jump_host(way: Way) -> None:
    done = run_ssh(way.target, way.node)

    assert (done.returncode, done.stdout) == (0, b"ran"), done.stderr
    assert len(way.jump.transports) == 2


@pytest.mark.program
def test_the_systems_ssh_goes_by_the_same_proxy_command(node: Node, proxied: Target) -> None:
    done = run_ssh(proxied, node)

    assert (done.returncode, done.stdout) == (0, b"ran"), done.stderr


@pytest.mark.program
def test_the_systems_ssh_takes_nothing_else_from_the_ssh_config(
    node: Node, target: Target, home: Path, tmp_path: Path
) -> None:
    (home / ".ssh/config").write_text(
        "Host *\n ForwardAgent yes\n ForwardX11 yes\n ControlMaster auto\n ControlPersist yes\n"
        f" ControlPath {tmp_path}/master\n PermitLocalCommand yes\n"
        f" LocalCommand touch {tmp_path}/local\n SendEnv *\n RemoteForward 2000 localhost:22\n"
    )

    done = run_ssh(target, node)

    assert (done.returncode, done.stdout) == (0, b"ran"), done.stderr
    assert not (tmp_path / "master").exists()
    assert not (tmp_path / "local").exists()
    assert node.asked == ["exec"]


@pytest.mark.program
@pytest.mark.parametrize("kind", ["project", "user"])
def test_the_systems_ssh_accepts_only_the_key_that_the_connection_saw(
    node: Node, target: Target, home: Path, kind: str
) -> None:
    other = paramiko.ECDSAKey.generate()
    line = f"{other.get_name()} {other.get_base64()}"
    file = target.known_hosts if kind == "project" else home / ".ssh/known_hosts"
    pin(file, "127.0.0.1", node.port, (node.host_line, line))
    node.scripts["undo"] = lambda *_: 0

    with connect(target, None) as remote, ssh_command(remote) as words:
        node.host_key = other
        done = subprocess.run([*words, "true"], capture_output=True, check=False)

    assert done.returncode == 255
    assert b"Host key verification failed" in done.stderr
