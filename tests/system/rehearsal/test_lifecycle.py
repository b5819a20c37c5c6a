"""A node comes up, reboots, goes down, and leaves nothing."""

import errno
import socket
from pathlib import Path

import pytest

from rehearsal import lifecycle
from rehearsal.ready import SSH_PORT
from tests.system.rehearsal.nodes import Shell, down, machine_spec, own_name, reboot, up

pytestmark = pytest.mark.node
# sshd, and the sockets that systemd makes for it beside the network.
NO_SSH = ("sshd.service", "sshd-vsock.socket", "sshd-unix-local.socket")


def test_a_node_is_up_when_its_own_spec_has_been_carried_out(shell: Shell) -> None:
    assert shell.node.state == "running", shell.node.failed_units
    assert shell.run("hostname").strip() == "rehearsed"
    assert shell.run("systemctl is-active hello.service").strip() == "active"
    assert shell.attempt("systemctl is-active quiet.service").stdout.strip() == b"inactive"


def test_a_reboot_keeps_the_node_and_changes_only_its_boot(shell: Shell) -> None:
    before = lifecycle.find(shell.node.name)
    assert before is not None
    shell.run("echo kept > ~/kept")

    after = reboot(shell.node.name, shell.key)

    assert after.boot_id != before.boot_id
    assert (after.address, after.host_keys) == (before.address, before.host_keys)
    assert shell.run("cat ~/kept").strip() == "kept"


def test_a_node_that_was_taken_down_leaves_nothing(spec: Path, ssh_key: Path) -> None:
    node = up(own_name("tests-gone"), spec, ssh_key)
    assert own_name("tests-gone") in [line.name for line in lifecycle.status()]

    assert down(own_name("tests-gone"))

    assert not node.tree.exists()
    assert lifecycle.find(own_name("tests-gone")) is None
    assert not down(own_name("tests-gone"))


def test_a_node_without_ssh_is_up_when_systemd_has_settled(tmp_path: Path, ssh_key: Path) -> None:
    units = [{"name": name, "mask": True} for name in NO_SSH]
    spec = machine_spec(tmp_path, ssh_key, systemd={"units": units})
    name = own_name("tests-alone")

    node = up(name, spec, ssh_key)
    try:
        assert node.state == "running", node.failed_units
        with socket.socket() as tried:
            tried.settimeout(10)
            assert tried.connect_ex((node.address, SSH_PORT)) == errno.ECONNREFUSED
        again = reboot(name, ssh_key)
        assert again.boot_id not in ("", node.boot_id)
    finally:
        down(name)
