"""Each example's image serves plain HTTP, from a read-only tree and without root."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from container.examples.build import EXAMPLES, build
from tests.images import remove_images
from tests.unit.container.conftest import require
from tests.unit.container.process import Program

# Runs the tree $1 in a network of its own; the words after it: the environment and the command.
RUN = """
set -eu
ip link set lo up
echo the network is up
tree=$1
shift
mount --bind "$tree" "$tree" && mount -o remount,bind,ro "$tree"
# An empty base has none of these folders; podman would make them.
if [ -d "$tree/proc" ]; then
  mount -t proc proc "$tree/proc" && mount --rbind /dev "$tree/dev"
  mount -t tmpfs -o mode=1777 none "$tree/tmp"
fi
exec env -i "$@"
"""
# A WebSocket: the handshake, then a text, masked by zeros, which comes back unmasked.
SOCKET = """
import socket
request = "GET /socket HTTP/1.1\\r\\nHost: x\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n"
request += "Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n"
with socket.create_connection(("127.0.0.1", 8080), 20) as connection:
    connection.sendall(request.encode() + b"\\x81\\x85\\0\\0\\0\\0hello")
    found = b""
    while not found.endswith(b"\\x81\\x05hello"):
        found += connection.recv(4096) or exit("the connection ended: " + repr(found))
    print(found.decode(errors="replace"))
"""
SERVES = {
    "flask": "Flask serves this page",
    "go": "Go serves this page",
    "nginx": "nginx serves this page",
    "node": "Node serves this page",
    "php": "PHP serves this page",
}

pytestmark = [pytest.mark.program, pytest.mark.slow]


def podman(*arguments: str) -> str:
    done = subprocess.run(("podman", *arguments), capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def image(request: pytest.FixtureRequest) -> Iterator[str]:
    for program in ("podman", "mmdebstrap", "go", "ip", "curl"):
        require(program)
    if os.getuid():
        pytest.skip("running a tree without podman needs root")
    tag = f"localhost/corefab-test-{request.param}-{os.getpid()}:latest"
    build(request.param, tag)
    yield tag
    remove_images(tag)


@pytest.fixture
def running(image: str, start: Callable[..., Program]) -> Program:
    """Run an image's command as the user that it names."""
    config = json.loads(podman("image", "inspect", image))[0]["Config"]
    tree = podman("image", "mount", image)
    user = config["User"].replace("www", "10001:10001")
    command = [*config.get("Entrypoint", []), *config.get("Cmd", [])]
    program = start(
        *("unshare", "--mount", "--net", "bash", "-c", RUN, "run", tree, *config.get("Env", [])),
        *(str(shutil.which("chroot")), f"--userspec={user}", "--groups=", tree, *command),
    )
    program.until("the network is up")
    return program


def inside(program: Program, *words: str) -> str:
    """Run a program of the workstation in the network of a running image."""
    argv = ("nsenter", f"--net=/proc/{program.pid}/ns/net", *words)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        program.signal(signal.SIGKILL)
        program.ended()
    assert done.returncode == 0, f"{shlex.join(argv)}: {done.stderr}\n{program.output}"
    return done.stdout


def fetch(program: Program, path: str) -> str:
    waiting = ("--retry", "20", "--retry-connrefused", "--retry-delay", "1")
    return inside(program, "curl", "-fsS", *waiting, f"http://127.0.0.1:8080{path}")


@pytest.mark.parametrize(("image", "page"), SERVES.items(), indirect=["image"])
def test_an_example_serves_its_page_and_its_health_path(running: Program, page: str) -> None:
    assert fetch(running, "/health").strip() == "ok"
    assert page in fetch(running, "/")


@pytest.mark.parametrize("image", ["node"], indirect=True)
def test_the_node_app_speaks_websocket(running: Program) -> None:
    fetch(running, "/health")

    answer = inside(running, sys.executable, "-c", SOCKET)

    assert answer.startswith("HTTP/1.1 101 ")
    assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer  # as RFC 6455 computes it for this key


@pytest.mark.parametrize("image", ["caddy", "go"], indirect=True)
def test_building_again_gives_the_same_image(image: str) -> None:
    first = podman("image", "inspect", "--format={{.Id}}", image)
    name = image.split("-")[2]
    remove_images(image)

    assert build(name, image) == first


def test_every_example_that_serves_a_page_is_tried() -> None:
    assert set(SERVES) == EXAMPLES.keys() - {"caddy"}
