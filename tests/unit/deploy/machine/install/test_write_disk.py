"""The installer's output is shown while it runs; a failure says what is on the disk now."""

import json
from collections.abc import Iterator

import paramiko
import pytest

from deploy.errors import DeployError
from deploy.machine.install.plan.options import Installation
from deploy.machine.install.write_disk import Job, verify, write
from deploy.node.command import Command
from deploy.node.fabric_remote import FabricRemote
from deploy.node.login import connect
from deploy.node.target import Target
from tests.unit.deploy.ssh_server import CHUNK, Node

pytestmark = pytest.mark.loopback
PRIVATE = b"host key, private half"
JOB = Job(
    Installation("/dev/sda", append_karg=("mitigations=auto",)),
    "/dev/sda",
    "ssh-ed25519 AA",
    PRIVATE,
)


@pytest.fixture
def remote(target: Target) -> Iterator[FabricRemote]:
    with connect(target, None) as one:
        yield one


def installer(node: Node, said: str, code: int) -> list[bytes]:
    """Let the node take a config and then say something of an installation."""
    taken: list[bytes] = []

    def take(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        content = bytearray()
        while part := channel.recv(CHUNK):
            content += part
        taken.append(bytes(content))
        return 0

    def install(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(said.encode())
        return code

    node.scripts |= {"take-config": take, "install-disk": install}
    return taken


def test_each_line_of_output_is_passed_on_at_once(node: Node, remote: FabricRemote) -> None:
    installer(node, "Read disk 1 MiB/2 MiB (50%)\nInstall complete.\nunfinished", 0)
    heard: list[str] = []

    result = remote.follow(Command("install-disk"), heard.append)

    assert heard == ["Read disk 1 MiB/2 MiB (50%)", "Install complete."]
    assert (result.code, result.stdout.splitlines()[-1]) == (0, "unfinished")


def test_the_config_goes_on_stdin_and_its_hash_in_the_command(
    node: Node, remote: FabricRemote
) -> None:
    taken = installer(node, "Install complete.\n", 0)

    write(remote, JOB)

    assert taken == [PRIVATE]
    assert f"--ignition-hash=sha256-{JOB.sha256}" in node.lines[-1]
    assert not any(PRIVATE.decode() in line for line in node.lines)
    assert PRIVATE.decode() not in repr(JOB)


def test_a_failure_before_the_first_byte_says_that_nothing_was_written(
    node: Node, remote: FabricRemote
) -> None:
    installer(node, "error: unexpected argument '--nonsense'\n", 2)

    with pytest.raises(DeployError, match="exit code 2:\n  error: unexpected") as failed:
        write(remote, JOB)
    assert failed.value.hint.startswith("nothing was written")


def test_a_failure_halfway_says_what_the_disk_is_now(node: Node, remote: FabricRemote) -> None:
    installer(node, "Read disk 1 MiB/2 MiB (50%)\nError: I/O error\n", 1)

    with pytest.raises(DeployError, match=r"I/O error") as failed:
        write(remote, JOB)
    assert failed.value.hint.startswith("/dev/sda has no bootable system now.")
    assert "--wipe /dev/sda" in failed.value.hint


@pytest.mark.parametrize(
    ("changes", "problem"),
    [({}, ""), ({"sha256": "00"}, "hash 00"), ({"options": "root=x"}, "mitigations=auto")],
)
def test_a_disk_is_accepted_only_when_it_was_written_as_requested(
    node: Node, remote: FabricRemote, changes: dict[str, object], problem: str
) -> None:
    there = {"sha256": JOB.sha256, "mode": "600", "first_boot": True, "options": "mitigations=auto"}

    def answer(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(json.dumps(there | changes).encode())
        return 0

    node.scripts["read-back"] = answer

    if not problem:
        verify(remote, JOB)
        return
    with pytest.raises(DeployError, match=problem) as failed:
        verify(remote, JOB)
    assert "was not restarted" in failed.value.hint
