"""A disk image in the shape of Fedora CoreOS's, which the real coreos-installer accepts.

Partitions 1 to 4, labels of file systems and the files of `boot` are as on the real one; the root
file system is the stock rehearsal node's.
"""

import hashlib
import os
import tempfile
import time
from pathlib import Path

from rehearsal import places, programs
from rehearsal.metal import disk

MIB = 1 << 20
# name, type, MiB; the root file system comes last and gets what it needs, and as much again.
PARTITIONS = (
    ("BIOS-BOOT", "21686148-6449-6E6F-744E-656564454649", 1),
    ("EFI-SYSTEM", "C12A7328-F81F-11D2-BA4B-00A0C93EC93B", 127),
    ("boot", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 128),
    ("root", "0FC63DAF-8483-4772-8E79-3D69D8477DE4", 1024),
)
OPTIONS = "ignition.platform.id=metal $ignition_firstboot root=LABEL=root rw"
INITRD = "/ostree/stand-in/initramfs.img"
BOOT_FILES = {
    "ignition.firstboot": "",
    "loader/entries/ostree-1.conf": (
        "title Fedora CoreOS (stand-in)\nversion 1\n"
        f"options {OPTIONS}\nlinux /ostree/stand-in/vmlinuz\ninitrd {INITRD}\n"
    ),
    "grub2/grub.cfg": "set timeout=1\nsource $prefix/console.cfg\n",
    "grub2/console.cfg": "\n# CONSOLE-SETTINGS-START\n# CONSOLE-SETTINGS-END\n",
    "ostree/stand-in/vmlinuz": "no kernel: the node shares the workstation's\n",
    INITRD.removeprefix("/"): "no initramfs: rehearsal provisions the first boot\n",
}
_KEPT_SECONDS = 14 * 24 * 3600


def image(base: Path) -> Path:
    """Return the disk image of a stock tree; make it if it is not in the cache."""
    recipe = hashlib.sha256(repr((base.name, PARTITIONS, BOOT_FILES)).encode()).hexdigest()[:16]
    finished = places.cache() / f"metal-{recipe}.raw"
    with places.locked(places.cache() / "metal.lock"):
        if not finished.exists():
            _build(finished, base)
        os.utime(finished)
        for old in places.cache().glob("metal-*.raw"):
            if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
                old.unlink()
    return finished


def _build(finished: Path, base: Path) -> None:
    building = finished.with_suffix(".building")
    building.unlink(missing_ok=True)
    total = (sum(size for _, _, size in PARTITIONS) + 2) * MIB
    with building.open("wb") as file:
        file.truncate(total)
    disk.partition(building, _table())
    with tempfile.TemporaryDirectory(dir=finished.parent) as boot:
        for name, text in BOOT_FILES.items():
            path = Path(boot) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="ascii")
        _file_system(building, "boot", Path(boot))
    _file_system(building, "root", base)
    building.rename(finished)


def _table() -> str:
    lines, start = ["label: gpt"], 1
    for name, kind, size in PARTITIONS:
        lines.append(f"start={start}MiB, size={size}MiB, type={kind}, name={name}")
        start += size
    return "\n".join(lines)


def _file_system(building: Path, label: str, content: Path) -> None:
    names = [name for name, _, _ in PARTITIONS]
    before = PARTITIONS[: names.index(label)]
    start = (1 + sum(size for _, _, size in before)) * MIB
    size = PARTITIONS[names.index(label)][2]
    programs.run(
        [
            *("mkfs.ext4", "-q", "-F", "-L", label, "-d", content),
            *("-E", f"offset={start},root_owner=0:0", building, f"{size}M"),
        ],
        doing=f"making the {label} file system",
    )
