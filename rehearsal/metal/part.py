"""Ignition's disks stage, for the disk that a machine boots from.

The real one asks systemd and udev to show it the devices, which no container has. Only what a
machine spec of ours declares is done: root made larger, partitions added, file systems made; a
file system that is there already with the same format and label is kept, another is refused.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rehearsal import programs
from rehearsal.errors import RehearsalError
from rehearsal.metal import disk

BOOT_DISK = "/dev/disk/by-id/coreos-boot-disk"
BY_NAME = Path("/dev/disk/by-partlabel")


def part(config: Mapping[str, Any], device: Path) -> None:
    """Partition the disk as the config says, in a mount namespace of our own."""
    storage = config.get("storage", {})
    for wanted in storage.get("disks", []):
        if wanted["device"] != BOOT_DISK:
            raise RehearsalError(
                f"{wanted['device']}: a rehearsal machine has one disk, {BOOT_DISK}",
                f"set DATA_DISK={BOOT_DISK} for what you rehearse",
            )
        for partition in wanted.get("partitions", []):
            _partition(device, partition)
    link_names(device)
    for wanted in storage.get("filesystems", []):
        _file_system(wanted)


def link_names(device: Path) -> None:
    """Link the partitions by name; /dev/disk is this mount namespace's own."""
    Path("/dev/disk").mkdir(exist_ok=True)
    programs.run(["mount", "-t", "tmpfs", "names", "/dev/disk"], doing="naming the partitions")
    BY_NAME.mkdir()
    for one in disk.partitions(device):
        if one.name:
            (BY_NAME / one.name).symlink_to(one.node)


def _partition(device: Path, wanted: Mapping[str, Any]) -> None:
    name, size = wanted["label"], wanted.get("sizeMiB") or 0
    there = {one.name: one for one in disk.partitions(device)}
    length = f"size={size}MiB" if size else "size=+"
    if name not in there:
        disk.partition(device, f"{length}, name={name}", "--append")
    elif wanted.get("resize"):
        disk.partition(device, length, "-N", str(there[name].number))
    disk.read_table(device)


def _file_system(wanted: Mapping[str, Any]) -> None:
    node, kind, label = wanted["device"], wanted["format"], wanted.get("label") or ""
    there = {
        key: programs.attempt(["blkid", "-p", "-o", "value", "-s", key, node]).stdout.strip()
        for key in ("TYPE", "LABEL")
    }
    if there == {"TYPE": kind, "LABEL": label} and not wanted.get("wipeFilesystem"):
        return
    if there["TYPE"] and not wanted.get("wipeFilesystem"):
        raise RehearsalError(
            f"{node} holds {there['TYPE']} {there['LABEL']!r}, wanted is {kind} {label!r}",
            "Ignition would refuse it too: it keeps a file system only as it was declared",
        )
    programs.run([f"mkfs.{kind}", "-q", *(("-L", label) if label else ()), node], doing="mkfs")
