"""Containers beside the apps that podman itself updates, by overlays of the operator's."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from tests.images import build_image, remove_images
from tests.system import registry
from tests.system.conftest import booted
from tests.system.project import Project
from tests.system.registry import Registry

pytestmark = pytest.mark.node
CHECKED = 'HEALTHCHECK --interval=2s CMD ["/usr/bin/python3", "-c", ""]'
GOOD = f'CMD ["/usr/bin/python3", "-c", "import time; time.sleep(1000)"]\n{CHECKED}'
ENDS = f'CMD ["/usr/bin/python3", "-c", "raise SystemExit(1)"]\n{CHECKED}'
OVERLAY = """\
variant: fcos
version: 1.5.0
storage:
  files:
    - {path: "/etc/containers/certs.d/ADDRESS/ca.crt", contents: {local: root.crt}}
    - {path: /etc/containers/systemd/side.container, contents: {local: side.container}}
    - {path: /etc/containers/systemd/side.network, contents: {local: side.network}}
    - {path: /etc/containers/systemd/pair.pod, contents: {local: pair.pod}}
    - {path: /etc/containers/systemd/mate.container, contents: {local: mate.container}}
"""
SIDE = """\
[Container]
Image=ADDRESS/side:live
ContainerName=side
AutoUpdate=registry
Notify=healthy
Network=side.network
StopTimeout=0
# lint: allow update-cost healthy-unchecked
[Service]
TimeoutStartSec=30
"""
MATE = """\
[Container]
Image=ADDRESS/side:live
ContainerName=mate
Pod=pair.pod
StopTimeout=0
# lint: allow pod-restarts
"""


@dataclass(frozen=True, slots=True)
class Side:
    """A node with containers of the operator's, and the registry of their image."""

    project: Project
    registry: Registry

    def push(self, text: str) -> str:
        """Build an image, push it, and return its id."""
        name = f"{self.registry.address}/side:live"
        lines = f"FROM {self.project.settings['IMAGE']}\nLABEL v={os.urandom(4).hex()}\n"
        text = f"{lines}ENTRYPOINT []\n{text}\n"
        made = build_image(name, text, self.project.folder, form="docker")
        pushed = ["podman", "push", "--quiet", "--tls-verify=false", name]
        subprocess.run(pushed, check=True, capture_output=True)
        remove_images(name)
        return made

    def update(self) -> None:
        """Have podman look for updates, as its timer does."""
        self.project.ssh("systemctl start podman-auto-update.service || true", seconds=200)

    def serving(self) -> str:
        """Read the id of the image that the container beside the apps runs."""
        asked = "podman inspect --format '{{.Image}}' side 2>/dev/null || true"
        return self.project.ssh(asked).strip()

    def state(self, unit: str) -> str:
        return self.project.ssh(f"systemctl is-active {unit} || true").strip()


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    """Add a container, a network and a pod to a node that serves."""
    with booted(tmp_path_factory.mktemp("side"), f"side{os.getpid()}") as made:
        at, folder = IPv4Address(made.node.address) - 1, tmp_path_factory.mktemp("registry")
        with registry.running(folder, "", at=str(at)) as found:
            overlays = made.folder / "butane/overlays"
            write(overlays, found)
            yield Side(made, found)


def write(overlays: Path, found: Registry) -> None:
    """Write the overlays for a registry."""
    (overlays / "root.crt").write_bytes(found.root.read_bytes())
    for name, text in {
        "side.bu": OVERLAY,
        "side.container": SIDE,
        "side.network": "[Network]\n",
        "pair.pod": "[Pod]\n",
        "mate.container": MATE,
    }.items():
        (overlays / name).write_text(text.replace("ADDRESS", found.address))


@pytest.mark.slow
def test_a_container_beside_the_apps_is_updated_and_one_that_failed_is_started_again(
    side: Side,
) -> None:
    first = side.push(GOOD)
    side.project.must("converge", "--yes")
    units = "side.service pair-pod.service mate.service"
    journal = "{ journalctl -q -n 40 -u side.service -u pair-pod.service >&2; exit 1; }"
    side.project.ssh(f"systemctl start {units} || {journal}", seconds=100)
    assert side.serving() == first
    timer = side.project.ssh(
        "systemctl show podman-auto-update.timer -P TimersCalendar -P UnitFileState"
    )
    assert "enabled" in timer
    assert timer.count("OnCalendar=") == 1
    assert "OnCalendar=*-*-* *:00:00" in timer

    second = side.push(GOOD)
    side.update()
    assert side.serving() == second

    side.push(ENDS)
    side.update()
    # What ends at once is undone by podman itself.
    assert side.serving() == second

    # One that failed for good: podman alone would never look at it again.
    side.project.ssh(
        "podman pull -q $(sed -n 's/^Image=//p' /etc/containers/systemd/side.container)"
    )
    side.project.ssh("systemctl restart side.service || true", seconds=100)
    assert side.state("side.service") == "failed"
    third = side.push(GOOD)
    side.update()

    log = side.project.ssh("journalctl -q -n 30 -u podman-auto-update.service -u side.service")
    assert side.state("side.service") == "active", log
    assert side.serving() == third


@pytest.mark.slow
def test_a_pod_and_a_network_of_the_operators_run(side: Side) -> None:
    assert side.state("pair-pod.service") == "active"
    assert side.state("mate.service") == "active"
    assert "side" in side.project.ssh("podman network ls --format '{{.Name}}'")
    assert side.project.fab("drift").code == 0
