"""Resolve Butane's sugar, in the order of the `butane` program."""

from butane.translate.boot_device import add_boot_device
from butane.translate.finding import Findings
from butane.translate.grub import add_grub_users
from butane.translate.lower import Lowering, lower
from butane.translate.mount_unit import add_mount_units
from butane.translate.quadlet import add_quadlets
from butane.translate.record import Path, Record
from butane.translate.tree import add_trees

_NUMBERS = {"BIOS-BOOT": 1, "PowerPC-PReP-boot": 1, "EFI-SYSTEM": 2, "boot": 3, "root": 4}
_ROOT_MIB = 8192
_ROOT_SIZE_SINCE = 3

_WRONG_NUMBER = "incorrect partition number; a new partition will be created using reserved label"
_TOO_SMALL = "root should have 8GiB of space assigned"
_CONSTRAINED = (
    "root partition cannot expand; it is set to fill available space but is followed by"
    " an auto-positioned partition"
)


def desugar(source: Record, at: Lowering) -> Record:
    """Make the Ignition config; findings and sources are gathered in `at`."""
    config = lower(source, (), at)
    config = add_mount_units(source, config, at)
    add_trees(source, config, at)
    add_quadlets(source, config, at)
    if at.findings.are_fatal():
        return config
    config = add_boot_device(source, config, at)
    partitions = Findings()
    _check_partitions(config, at.minor, partitions)
    config = add_grub_users(source, config, at)
    for each in partitions.found:
        # the real tool names the size by its place in the result, whatever its source
        known = each.path[-1] != "size_mib"
        at.findings.warn(at.sources.find(each.path) if known else each.path, each.message)
    return config


def _check_partitions(config: Record, minor: int, findings: Findings) -> None:
    """Warn of partitions that would not become what their labels promise."""
    for i, disk in enumerate(config.record("storage").records("disks")):
        partitions = disk.records("partitions")
        for p, partition in enumerate(partitions):
            path: Path = ("storage", "disks", i, "partitions", p)
            if minor >= _ROOT_SIZE_SINCE and partition.optional("label") == "root":
                others = partitions[:p] + partitions[p + 1 :]
                _check_root(partition, others, path, findings)
            wanted = _NUMBERS.get(partition.text("label"))
            number = partition.number("number") or 0
            if not disk.is_true("wipe_table") and wanted is not None and number != wanted:
                findings.warn((*path, "label"), _WRONG_NUMBER)


def _check_root(root: Record, others: list[Record], path: Path, findings: Findings) -> None:
    size = root.number("size_mib")
    if not size:
        if any(not other.number("start_mib") for other in others):
            findings.warn((*path, "label"), _CONSTRAINED)
    elif size < _ROOT_MIB:
        findings.warn((*path, "size_mib"), _TOO_SMALL)
