"""A virtual machine, from the Ignition file that the firmware hands over to a served page.

The disk image is the stand-in, with a kernel of Debian's beside it; QEMU, the TPM emulator, the
real Ignition on its QEMU platform, systemd on its own kernel and podman are what they are. It is
emulated: the KVM of a virtual workstation may start no kernel that it does not know.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal import stock
from rehearsal.metal import image, initramfs
from tests.system.page import get
from tests.system.project import FAB, Project, Said, make_project
from tests.system.rehearsal.nodes import require_nodes

pytestmark = pytest.mark.vm

NEEDED = ("qemu-system-x86_64", "qemu-img", "swtpm", "busybox", "cpio")
PORTS = {"--ssh-port": "2229", "--https-port": "8449", "--http-port": "8089"}
ADDRESS = "core@127.0.0.1:2229"


def kernel() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = sorted((cache / "corefab/tools").glob("linux-image-*/vmlinuz"))
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    lacking += [] if found else ["a kernel: scripts/fetch-kernel"]
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(f"virtual machines lack {', '.join(lacking)}")
    if lacking:
        pytest.skip(f"virtual machines lack {', '.join(lacking)}")
    return found[-1].parent


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    require_nodes()
    kernel()
    made = make_project(
        tmp_path_factory.mktemp("vm"),
        f"vm{os.getpid()}",
        IMAGE=f"localhost/corefab-test-vm-{os.getpid()}:latest",
        CERT_PASSWORD=secrets.token_urlsafe(24),
        SMTP_PASSWORD=secrets.token_urlsafe(24),
        HEALTH_TIMEOUT_SECONDS="300",
        SWAP_MEGABYTES="0",
        HTTPS_PORT="8449",
        HTTP_PORT="8089",
        PUBLIC_ADDRESS="127.0.0.1",
    )
    try:
        made.must("sample-build")
        made.must("cert-issue")
        made.must("prepare", "--yes")
        yield made
    finally:
        made.fab("vm", "--down")
        tag = made.settings["IMAGE"]
        subprocess.run(["podman", "rmi", "--ignore", tag], check=True, capture_output=True)


def test_a_virtual_machine_takes_its_ignition_file_and_serves(project: Project) -> None:
    base = stock.tree(lambda _: None)
    ramdisk = project.folder / "initramfs.img"
    initramfs.build(ramdisk, kernel())
    given = {
        "-kernel": kernel() / "vmlinuz",
        "-initrd": ramdisk,
        "-append": "console=ttyS0 quiet panic=-1",
    }
    options = [f"--qemu-option={word}" for pair in given.items() for word in pair]

    said = slowly(
        project,
        *("vm", "--image", str(image.image(base)), "--no-kvm", "--timeout", "400"),
        *(word for pair in PORTS.items() for word in pair),
        *("--qemu-option=-no-reboot", *options),
    )

    console = (project.folder / "build/vm/console.log").read_text(errors="replace")
    assert said.code == 0, said.out + console[-3000:]
    assert "no KVM" in said.out
    assert f"next: fab -H {ADDRESS} deploy --first" in said.out
    assert "initramfs: first boot" in console

    deployed = slowly(project, "-H", ADDRESS, "deploy", "--first")
    assert deployed.code == 0, deployed.out
    authority = project.folder / "certs/material/authority/ca.crt"
    status, page = get("127.0.0.1", 8449, "shop.example.org", authority)
    assert (status, "<h2>" in page) == (200, True)

    rotated = slowly(project, "-H", ADDRESS, "cert-rotate-https")
    assert rotated.code == 0, rotated.out


def slowly(project: Project, *words: str) -> Said:
    """Run fab with the patience that an emulated machine needs."""
    done = subprocess.run(
        [FAB, *words],
        cwd=project.folder,
        env=project.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    return Said(done.returncode, done.stdout)


def test_what_is_missing_is_told_before_anything_starts(project: Project) -> None:
    said = project.fab("vm", "--image", "nothing.qcow2")

    assert said.code == 1
    assert "nothing.qcow2 does not exist" in said.out
