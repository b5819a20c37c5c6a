"""The live system that a machine is installed from, and its disks, as `live-facts` reports them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from deploy.node.answer import Count, Value

_LARGEST = 2**63
# Device types that can be installed to.
_KINDS = {"disk", "loop", "mpath", "dm"}
_NO_DISKS = ("/dev/zram", "/dev/ram", "/dev/fd")
# The first Ignition release that accepts a spec version (its release notes).
_SPEC_SINCE = {
    (3, 6): (2, 26),
    (3, 5): (2, 20),
    (3, 4): (2, 15),
    (3, 3): (2, 11),
    (3, 2): (2, 7),
    (3, 1): (2, 3),
    (3, 0): (2, 0),
}


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


def read_disks(said: Mapping[str, Any]) -> tuple[Disk, ...]:
    """Parse the output of `lsblk --json`; devices that cannot be installed to are left out."""
    found = (_disk(one) for one in said.get("blockdevices", []) if _is_disk(one))
    return tuple(sorted(found, key=lambda disk: disk.path))


def _from_lsblk(value: Any) -> Any:
    """Parse the output of lsblk; leave disks as they are."""
    if not isinstance(value, dict):
        return value
    try:
        return read_disks(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the output of lsblk --json: {error!r}") from error


class LiveFacts(Value):
    """What a live system is and has; `device` is the disk that --device means, links followed."""

    boot_id: str
    system: str
    is_installing: bool
    installer: str
    ignition: Annotated[str, Field(max_length=100)]
    memory_free: Count
    keyfiles: tuple[str, ...]
    fixed_addresses: tuple[str, ...]
    disks: Annotated[tuple[Disk, ...], BeforeValidator(_from_lsblk)]
    device: str

    @property
    def newest_spec(self) -> tuple[int, int] | None:
        """The newest Ignition spec it accepts; None when its Ignition version is unknown."""
        if not self.ignition:
            return None
        numbers = tuple(int(word) for word in self.ignition.split(".")[:2] if word.isdecimal())
        return next((spec for spec, since in _SPEC_SINCE.items() if numbers >= since), (3, 0))


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
