"""Rootful podman and Quadlet really run containers on a node."""

import socket
import time
from pathlib import Path

import pytest

from tests.system.rehearsal.nodes import Shell, reboot

pytestmark = pytest.mark.node

SERVER = """\
[Container]
Image=localhost/tools:1
Network=probe.network
PublishPort=8080:8080
Notify=true
ReadOnly=true
DropCapability=all
NoNewPrivileges=true
UserNS=auto
Volume=%t/probe:/run/secrets:ro,Z
HealthCmd=bash -c 'exec 3<>/dev/tcp/127.0.0.1/8080'
HealthInterval=1s
Exec=/serve

[Service]
RuntimeDirectory=probe
LoadCredentialEncrypted=word:/etc/credstore.encrypted/word
ExecStartPre=/usr/bin/install -m 0444 ${CREDENTIALS_DIRECTORY}/word %t/probe/word

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def image(shell: Shell) -> str:
    """Make an image on the node, without a registry."""
    script = Path(__file__).with_name("tools-image.sh").read_bytes()
    shell.run("bash -s", stdin=script)
    return "localhost/tools:1"


def served(address: str) -> bytes:
    """Fetch what the published port serves, as the workstation sees it."""
    with socket.create_connection((address, 8080), timeout=5) as connection:
        return connection.recv(100)


def test_a_container_runs(shell: Shell, image: str) -> None:
    assert shell.run(f"sudo podman run --rm --network=none {image} bash -c 'echo $$'") == "1\n"


def test_a_quadlet_serves_a_sealed_secret_and_comes_back_after_a_reboot(
    shell: Shell, image: str
) -> None:
    # As on Fedora CoreOS, user namespaces for containers need a range set aside, and by newer
    # versions of shadow a user of that name.
    shell.run("sudo useradd --system --shell=/usr/sbin/nologin containers")
    shell.run("echo containers:2147483647:2147483648 | sudo tee -a /etc/subuid /etc/subgid")
    shell.run("sudo systemd-creds encrypt --name=word - /etc/credstore.encrypted/word", b"sesame")
    units = "/etc/containers/systemd"
    shell.run(f"sudo tee {units}/probe.network", b"[Network]\n")
    shell.run(f"sudo tee {units}/probe.container", SERVER.encode())
    shell.run("sudo /usr/lib/systemd/system-generators/podman-system-generator --dryrun")

    shell.run("sudo systemctl daemon-reload && sudo systemctl start probe.service")

    assert served(shell.node.address) == b"sesame"
    assert_turns_healthy(shell)
    assert "table inet netavark" in shell.run("sudo nft list tables")

    node = reboot(shell.node.name, shell.key)

    assert node.state == "running", node.failed_units
    assert served(shell.node.address) == b"sesame"
    shell.run(f"sudo systemctl stop probe.service; sudo rm {units}/probe.*")
    shell.run("sudo systemctl daemon-reload; sudo podman network rm systemd-probe")


def assert_turns_healthy(shell: Shell) -> None:
    """Wait for the container's own check, which podman runs by a systemd timer."""
    deadline = time.monotonic() + 60
    ask = "sudo podman inspect -f '{{.State.Health.Status}}' systemd-probe"
    while (word := shell.run(ask).strip()) != "healthy":
        assert time.monotonic() < deadline, word
        time.sleep(0.1)
