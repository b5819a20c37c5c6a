"""The rules of Ignition for disks and partitions."""

import re
from collections.abc import Sequence

from butane.translate.finding import Place
from butane.translate.path_check import path_problem
from butane.translate.record import Record

_GUID = re.compile(
    r"(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12})?"
)
_LABEL_BYTES = 36


def check_disk(disk: Record, at: Place) -> None:
    """Check a disk and its partitions against each other."""
    device, partitions = disk.text("device"), disk.records("partitions")
    if not device:
        at.error("device", message="disk device is required")
        return
    at.error("device", message=path_problem(device))
    number = _repeated([p.number("number") or None for p in partitions])
    if number is not None:
        at.error("partitions", number, message="partition numbers collide")
    overlap = _overlapping(partitions)
    if overlap is not None:
        at.error("partitions", overlap, message="partitions overlap")
    if any(not p.number("number") for p in partitions) and any(
        p.is_false("should_exist") for p in partitions
    ):
        message = "shouldExist is false for a partition and other partition(s) has start or size 0"
        at.error("partitions", message=message)
    label = _repeated([p.optional("label") for p in partitions])
    if label is not None:
        at.error("partitions", label, message="cannot use the same partition label twice")


def check_partition(partition: Record, at: Place) -> None:
    """Check one partition by itself."""
    described = (
        partition.has("label")
        or partition.text("type_guid")
        or partition.text("guid")
        or partition.has("start_mib")
        or partition.has("size_mib")
    )
    if partition.is_false("should_exist") and described:
        at.error(message="shouldExist specified false with other options also specified")
    if not partition.number("number") and not partition.has("label"):
        at.error(message="a partition number >= 1 or a label must be specified")
    at.error("label", message=_label_problem(partition.text("label")))
    for name in ("guid", "type_guid"):
        if not _GUID.fullmatch(partition.text(name)):
            message = 'doesn\'t match the form "01234567-89AB-CDEF-EDCB-A98765432101"'
            at.error(name, message=message)


def _label_problem(label: str) -> str:
    if len(label.encode("utf-8", "surrogateescape")) > _LABEL_BYTES:
        return f"partition labels may not exceed {_LABEL_BYTES} characters"
    return "partition label will be truncated to text before the colon" if ":" in label else ""


def _repeated(names: Sequence[str | int | None]) -> int | None:
    """Find the first item that repeats an earlier one."""
    repeats = (i for i, name in enumerate(names) if name is not None and name in names[:i])
    return next(repeats, None)


def _overlapping(partitions: list[Record]) -> int | None:
    """Find the first partition that overlaps another of given place and size."""
    for one in partitions:
        for index, other in enumerate(partitions):
            if one.values != other.values and _overlap(one, other):
                return index
    return None


def _overlap(one: Record, other: Record) -> bool:
    here, there = _extent(one), _extent(other)
    if here is None or there is None:
        return False
    (start, end), (first, last) = here, there
    return first <= start <= last or first <= end <= last or (start < first and end > last)


def _extent(partition: Record) -> tuple[int, int] | None:
    start, size = partition.number("start_mib"), partition.number("size_mib")
    if not start or size is None:
        return None
    return start, start + size - 1 if size else start
