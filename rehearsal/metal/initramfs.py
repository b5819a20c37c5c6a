"""An initramfs for a virtual machine: the real Ignition, and what the disk image needs to boot."""

import json
import shutil
import tempfile
from pathlib import Path

from rehearsal import programs, provision

HERE = Path(__file__).parent
# What a node uses of a kernel: containers, their network and firewall, disks, the firmware.
_MODULES = ("fs", "net", "lib", "crypto", "arch", "mm", "block")
_DRIVERS = ("net", "block", "virtio", "firmware", "char", "scsi")
_LEFT_OUT = ("wireless", "ethernet", "hippi", "hyperv", "nfs", "nfsd", "smb", "ceph", "ocfs2")


def build(target: Path, kernel: Path) -> None:
    """Write an initramfs for the folder of a kernel that scripts/fetch-kernel made."""
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        root = Path(work)
        (root / "bin").mkdir()
        busybox = shutil.which("busybox")
        if busybox:
            shutil.copy2(busybox, root / "bin/busybox")
        shutil.copy2(HERE / "initramfs.sh", root / "init")
        shutil.copy2(programs.IGNITION, root / "ignition")
        shutil.copy2(provision.HERE / "stand-ins/setfiles", root / "setfiles")
        (root / "core.ign").write_text(json.dumps(provision.CORE), encoding="ascii")
        _modules(root, kernel)
        pack = 'cd "$1" && find . | cpio --quiet -o -H newc | zstd -q -3 >"$2"'
        programs.run(
            ["bash", "-euo", "pipefail", "-c", pack, "pack", root, target],
            doing="packing initramfs",
        )


def _modules(root: Path, kernel: Path) -> None:
    version = kernel.name.removeprefix("linux-image-")
    source, target = kernel / "modules", root / "lib/modules" / version
    ignore = shutil.ignore_patterns(*_LEFT_OUT)
    for part in (*_MODULES, *(f"drivers/{one}" for one in _DRIVERS)):
        folder = source / "kernel" / part
        if folder.is_dir():
            shutil.copytree(folder, target / "kernel" / part, ignore=ignore)
    for index in source.glob("modules.*"):
        shutil.copy2(index, target / index.name)
