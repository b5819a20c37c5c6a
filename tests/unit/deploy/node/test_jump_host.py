"""A node behind a jump host or a ProxyCommand: each host on the way shows a known key."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.known_hosts import pin, pinned
from deploy.node.login import connect, read_host_key
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
    hop.join(60)
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


def test_what_the_jump_host_answers_is_said(way: Way) -> None:
    way.jump.behind.clear()

    error = refusal(way.target)
    assert error.message == "inner cannot be reached: its jump host answers 'Connect failed'"


def test_another_port_of_the_jump_host_is_reached_through_it(way: Way, home: Path) -> None:
    way.jump.behind["127.0.0.1"] = way.node.port
    (home / ".ssh/config").write_text(
        f"Host inner\n HostName 127.0.0.1\n Port 2\n HostKeyAlias inner.test\n"
        f" ProxyJump hop@127.0.0.1:{way.jump.port}\n"
    )

    assert works(way.target, way.node)


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
def test_a_proxy_command_that_ends_is_named(proxied: Target, home: Path) -> None:
    (home / ".ssh/config").write_text("Host inner\n ProxyCommand false\n")

    error = refusal(proxied)
    assert error.message == (
        "inner cannot be reached through its ProxyCommand: "
        "the connection was closed before the login"
    )
    assert "`ssh inner`" in error.hint


@pytest.mark.program
def test_a_proxy_command_runs_in_the_users_shell(
    proxied: Target, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell = tmp_path / "shell"
    shell.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >{tmp_path}/words\nexec sh "$@"\n')
    shell.chmod(0o700)
    monkeypatch.setenv("SHELL", str(shell))

    assert read_host_key(proxied)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[0] == "-c"
    assert words[1].startswith(f"exec {sys.executable} ")


@pytest.mark.program
def test_the_host_key_is_read_through_a_proxy_command(node: Node, proxied: Target) -> None:
    assert read_host_key(proxied) == (node.host_line, node.fingerprint)
