"""Warnings on partitions that would not become what their labels promise."""

from butane.translate.finding import Findings
from butane.translate.record import Path, Record

_NUMBERS = {"BIOS-BOOT": 1, "PowerPC-PReP-boot": 1, "EFI-SYSTEM": 2, "boot": 3, "root": 4}
_ROOT_MIB = 8192
_ROOT_SIZE_SINCE = 3

_WRONG_NUMBER = "incorrect partition number; a new partition will be created using reserved label"
_TOO_SMALL = "root should have 8GiB of space assigned"
_CONSTRAINED = (
    "root partition cannot expand; it is set to fill available space but is followed by"
    " an auto-positioned partition"
)


def check_partitions(config: Record, minor: int, findings: Findings) -> None:
    """Check the labels, numbers and sizes of all partitions of a config."""
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
