"""A machine's disks, parsed from `lsblk --json`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Device types that can be installed to.
_KINDS = {"disk", "loop", "mpath", "dm"}
_LARGEST = 2**63
_NO_DISKS = ("/dev/zram", "/dev/ram", "/dev/fd")


@dataclass(frozen=True, slots=True)
class Disk:
    """A whole disk: its properties, what is on it, and what uses it."""

    path: str
    size: int
    model: str
    serial: str
    link: str
    read_only: bool
    contents: tuple[str, ...]
    used_by: tuple[str, ...]
    labels: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether lsblk found nothing on it."""
        return not self.contents


def read_disks(said: Mapping[str, Any]) -> tuple[Disk, ...]:
    """Parse the output of lsblk; devices that cannot be installed to are left out."""
    found = (_disk(one) for one in said.get("blockdevices", []) if _is_disk(one))
    return tuple(sorted(found, key=lambda disk: disk.path))


def _is_disk(one: Mapping[str, Any]) -> bool:
    # The file system of the live system is a read-only loop device.
    own = one["type"] == "loop" and bool(one.get("ro"))
    return (
        one["type"] in _KINDS
        and not own
        and 0 < int(one.get("size") or 0) < _LARGEST
        and not one["path"].startswith(_NO_DISKS)
    )


def _disk(one: Mapping[str, Any]) -> Disk:
    inner = list(_inner(one))
    return Disk(
        path=one["path"],
        size=int(one["size"]),
        model=(one.get("model") or "").strip(),
        serial=(one.get("serial") or "").strip(),
        link=one.get("tran") or "",
        read_only=bool(one.get("ro")),
        contents=tuple(filter(None, (_content(part) for part in (one, *inner)))),
        used_by=tuple(user for part in (one, *inner) for user in _users(part)),
        labels=tuple(part["partlabel"] for part in inner if part.get("partlabel")),
    )


def _inner(one: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for child in one.get("children", []):
        yield child
        yield from _inner(child)


def _content(part: Mapping[str, Any]) -> str:
    kind = part.get("fstype") or ""
    name = part.get("partlabel") or part.get("label") or ""
    if part["type"] in _KINDS and not kind:
        table = part.get("pttype")
        return f"{table} table" if table else ""
    return " ".join(filter(None, (name or part["path"], kind)))


def _users(part: Mapping[str, Any]) -> Iterator[str]:
    for place in part.get("mountpoints") or []:
        if place:
            yield f"{part['path']} is " + ("swap" if place == "[SWAP]" else f"mounted on {place}")
    for child in part.get("children", []):
        if child["type"] not in {"part", *_KINDS}:
            yield f"{part['path']} is part of {child['path']} ({child['type']})"
