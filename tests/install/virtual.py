"""A virtual machine, a project for it, and the patience that an emulated processor needs.

The disk image is the stand-in, with a kernel of Debian's beside it; QEMU, the TPM emulator, the
real Ignition on its QEMU platform, systemd on its own kernel and podman are what they are. It is
emulated: the KVM of a virtual workstation may start no kernel that it does not know.
"""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rehearsal.metal import image, initramfs
from tests.system.project import Project, Said, make_project
from tests.system.rehearsal.nodes import require_nodes

# By its own firmware, which is no UEFI, QEMU shows systemd no TPM.
UEFI = Path("/usr/share/ovmf/OVMF.fd")
NEEDED = ("qemu-system-x86_64", "qemu-img", "swtpm", "busybox", "cpio")


@contextmanager
def virtual_project(folder: Path, name: str, ssh_port: int, **settings: str) -> Iterator[Project]:
    """Make a project for a machine with three ports here, the first for SSH; remove both after."""
    require_nodes()
    kernel()
    name = f"{name}{os.getpid()}"
    usual = {
        "IMAGE": f"localhost/corefab-test-{name}:latest",
        "CERT_PASSWORD": secrets.token_urlsafe(24),
        "SMTP_PASSWORD": secrets.token_urlsafe(24),
        "HEALTH_TIMEOUT_SECONDS": "600",
        "SWAP_MEGABYTES": "0",
        "HTTPS_PORT": str(ssh_port + 1),
        "HTTP_PORT": str(ssh_port + 2),
        "PUBLIC_ADDRESS": "127.0.0.1",
    }
    made = make_project(folder, name, **usual | settings)
    made.seconds, made.login = 1500, f"core@127.0.0.1:{ssh_port}"
    try:
        made.must("sample-build")
        made.must("cert-issue")
        made.must("prepare", "--yes")
        yield made
    finally:
        made.fab("vm", "--down")
        tag = made.settings["IMAGE"]
        subprocess.run(["podman", "rmi", "--ignore", tag], check=True, capture_output=True)


def kernel() -> Path:
    """Find what a virtual machine needs, and return its kernel; under CI an absence fails."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = sorted((cache / "corefab/tools").glob("linux-image-*/vmlinuz"))
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    lacking += [] if UEFI.exists() else ["ovmf"]
    lacking += [] if found else ["a kernel: scripts/fetch-kernel"]
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(f"virtual machines lack {', '.join(lacking)}")
    if lacking:
        pytest.skip(f"virtual machines lack {', '.join(lacking)}")
    return found[-1].parent


def start(
    project: Project,
    base: Path,
    *kernel_words: str,
    uefi: bool = False,
    options: tuple[str, ...] = (),
    **settings: str,
) -> Said:
    """Start a machine of a stock tree with `fab vm`, and wait until it lets us in."""
    ramdisk = project.folder / "initramfs.img"
    initramfs.build(ramdisk, kernel())
    given = {
        "-kernel": kernel() / "vmlinuz",
        "-initrd": ramdisk,
        "-append": " ".join(("console=ttyS0 quiet panic=-1", *kernel_words)),
        **({"-bios": UEFI} if uefi else {}),
    }
    words = [f"--qemu-option={word}" for pair in given.items() for word in pair]
    first = int(project.login.rpartition(":")[2])
    ports = [f"--{use}-port={first + at}" for at, use in enumerate(("ssh", "https", "http"))]
    place = ("--image", str(image.image(base)), "--no-kvm", "--timeout", "800")
    return project.fab("vm", *place, *ports, *words, *options, **settings)


def on(project: Project, *words: str, **settings: str) -> str:
    """Run a command for the machine; it must succeed."""
    return project.must("-H", project.login, *words, **settings)


def seals(project: Project) -> set[tuple[str, int, bool]]:
    """Read of each credential what it is sealed with, its generation, and whether it opens."""
    said = project.fab("-H", project.login, "creds-list", "--json")
    listed = json.loads(said.out)["credentials"]
    return {(one["sealed_with"], one["generation"], one["opens"]) for one in listed}


def console(project: Project) -> str:
    """Read what the machine wrote to its console."""
    return (project.folder / "build/vm/console.log").read_text(errors="replace")
