"""A machine's disk: a sparse file, a loop device while the machine runs."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal import programs


@dataclass(frozen=True, slots=True)
class Partition:
    """One partition as libblkid sees it."""

    node: Path
    number: int
    name: str
    label: str


@contextmanager
def attached(file: Path) -> Iterator[Path]:
    """Attach a file as a loop device, which ends with this process."""
    words: list[str | Path] = ["losetup", "--find", "--show", "--partscan", file]
    device = Path(programs.run(words, doing="attaching the disk").strip())
    descriptor = os.open(device, os.O_RDONLY)
    try:
        # In use, it is detached when the last who has it open is gone.
        programs.run(["losetup", "--detach", device], doing="attaching the disk")
        read_table(device)
        yield device
    finally:
        os.close(descriptor)


def read_table(device: Path) -> None:
    """Make the kernel read the partitions; add them by hand if it does not support GPT."""
    programs.attempt(["partx", "--update", device])


def partition(target: Path, table: str, *options: str) -> None:
    """Partition a disk or an image of one by lines as sfdisk reads them."""
    text = 'table=$1; shift; exec sfdisk --quiet --no-reread --force "$@" <<<"$table"'
    words = ("bash", "-c", text, "sfdisk", table, *options, str(target))
    programs.run(words, doing="partitioning the disk")


def partitions(device: Path) -> tuple[Partition, ...]:
    """List a disk's partitions."""
    found = sorted(device.parent.glob(f"{device.name}p*"), key=lambda path: _number(device, path))
    return tuple(_partition(device, node) for node in found)


def labelled(device: Path, label: str) -> Partition | None:
    """Find the partition whose file system has a label."""
    return next((one for one in partitions(device) if one.label == label), None)


def _number(device: Path, node: Path) -> int:
    return int(node.name.removeprefix(f"{device.name}p"))


def _partition(device: Path, node: Path) -> Partition:
    said = programs.attempt(["blkid", "-p", "-o", "udev", node]).stdout
    found = dict(re.findall(r"^(\w+)=(.*)$", said, re.MULTILINE))
    return Partition(
        node,
        _number(device, node),
        found.get("ID_PART_ENTRY_NAME", ""),
        found.get("ID_FS_LABEL", ""),
    )
