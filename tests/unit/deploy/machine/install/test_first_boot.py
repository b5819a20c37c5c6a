"""The first boot of an installed machine is recognised, and every other system reported."""

from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from certs.ssh import new_ssh_key
from deploy.errors import DeployError
from deploy.machine.install.first_boot import Awaited, await_first_boot
from deploy.node.known_hosts import pin
from deploy.node.target import Target
from tests.unit.deploy.ssh_server import Node, new_identity, running

pytestmark = [pytest.mark.loopback, pytest.mark.usefixtures("clock")]
SECONDS = 3.0


def awaited(node: Node, target: Target, *, boot: str = "before") -> Awaited:
    def answer(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(f"{boot}\n".encode())
        return 0

    node.scripts["boot-id"] = answer
    other = new_ssh_key().public
    return Awaited(target, node.host_line, target, other, boot_id="before")


def test_another_boot_with_the_expected_key_is_the_installed_system(
    node: Node, target: Target
) -> None:
    assert await_first_boot(awaited(node, target, boot="after"), SECONDS) == "after"


def test_the_same_boot_is_not(node: Node, target: Target) -> None:
    with pytest.raises(DeployError, match="it has not restarted"):
        await_first_boot(awaited(node, target), 0.5)


def test_another_boot_of_the_medium_is_reported_at_once(node: Node, target: Target) -> None:
    wanted = awaited(node, target, boot="after")
    landed = replace(wanted, public=new_ssh_key().public, live_public=node.host_line)

    with pytest.raises(DeployError, match="booted its live medium again") as refused:
        await_first_boot(landed, 60)
    assert "boot order" in refused.value.hint


def test_the_medium_in_the_same_boot_is_still_going_down(node: Node, target: Target) -> None:
    wanted = awaited(node, target)
    going = replace(wanted, public=new_ssh_key().public, live_public=node.host_line)

    with pytest.raises(DeployError, match="the live system is still running"):
        await_first_boot(going, 0.5)


def test_the_old_system_is_distinguished_from_an_unknown_one(node: Node, target: Target) -> None:
    wanted = replace(awaited(node, target), public=new_ssh_key().public)

    with pytest.raises(DeployError, match="the system that it had before"):
        await_first_boot(replace(wanted, old_public=(node.host_line,)), 60)
    with pytest.raises(DeployError, match=r"another system answers at that address.*SHA256:"):
        await_first_boot(wanted, 60)


def test_a_machine_that_never_comes_back_is_reported_with_what_to_check(
    node: Node, target: Target, tmp_path: Path
) -> None:
    wanted = awaited(node, target)
    gone = replace(wanted, installed=replace(target, port=1))

    with pytest.raises(DeployError, match="did not come back within 0 s") as refused:
        await_first_boot(gone, 0.3)
    assert "console" in refused.value.hint


@pytest.mark.program
def test_a_first_boot_is_awaited_through_a_jump_host(
    node: Node, target: Target, home: Path
) -> None:
    with running() as jump:
        jump.behind["inner.test"] = node.port
        jump.let_in(new_identity(home / ".ssh/id_ed25519"), "hop")
        pin(target.known_hosts, "127.0.0.1", jump.port, (jump.host_line,))
        pin(target.known_hosts, "inner.test", None, (node.host_line,))
        (home / ".ssh/config").write_text(
            f"Host inner\n HostName inner.test\n ProxyJump hop@127.0.0.1:{jump.port}\n"
        )
        inner = replace(target, host="inner", port=None)

        assert await_first_boot(awaited(node, inner, boot="after"), SECONDS) == "after"
        assert jump.transports
