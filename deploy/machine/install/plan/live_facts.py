"""The live system that a machine is installed from, and its disks, as `live-facts` reports them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic.dataclasses import dataclass

from deploy.node.answer import Count, Value

_LARGEST = 2**63
# Device types that can be installed to.
_MULTIPATH = "mpath"
_KINDS = {"disk", "loop", _MULTIPATH, "dm"}
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
class Use:
    """What uses a disk, and the command that ends that."""

    text: str
    ended_by: str


@dataclass(frozen=True, slots=True)
class Disk:
    """A whole disk: its properties, what is on it, and what uses it, the innermost first.

    `kernel_path` is the kernel's own name for it. `members` are the disks that a multipath disk is
    reached by; they are no disks to install to.
    """

    path: str
    size: int
    model: str
    serial: str
    link: str
    read_only: bool
    contents: tuple[str, ...]
    used_by: tuple[Use, ...]
    labels: tuple[str, ...]
    kernel_path: str = ""
    members: tuple[str, ...] = ()


def read_disks(said: Mapping[str, Any]) -> tuple[Disk, ...]:
    """Parse the output of `lsblk --json`; devices that cannot be installed to are left out."""
    every = said.get("blockdevices", [])
    # lsblk lists a multipath disk below each of its members.
    maps = {child["path"]: child for one in every for child in _maps(one)}
    members = {one["path"]: [child["path"] for child in _maps(one)] for one in every}
    devices = {one["path"]: one for one in every if not _is_member(one)} | maps
    found = (
        _disk(one, tuple(path for path, theirs in members.items() if one["path"] in theirs))
        for one in devices.values()
        if _is_disk(one)
    )
    return tuple(sorted(found, key=lambda disk: disk.path))


def _maps(one: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return (child for child in one.get("children", []) if child["type"] == _MULTIPATH)


def _is_member(one: Mapping[str, Any]) -> bool:
    return one.get("fstype") == "mpath_member" or any(_maps(one))


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


def _disk(one: Mapping[str, Any], members: tuple[str, ...]) -> Disk:
    inner = list(_inner(one))
    return Disk(
        path=one["path"],
        size=int(one["size"]),
        model=(one.get("model") or "").strip(),
        serial=(one.get("serial") or "").strip(),
        link=one.get("tran") or "",
        read_only=bool(one.get("ro")),
        contents=tuple(filter(None, (_content(part) for part in (one, *inner)))),
        # What is inside has to end first; a volume of several parts is listed below each.
        used_by=tuple(
            dict.fromkeys(use for part in reversed((one, *inner)) for use in _uses(part))
        ),
        labels=tuple(part["partlabel"] for part in inner if part.get("partlabel")),
        kernel_path=f"/dev/{one['kname']}" if one.get("kname") else "",
        members=members,
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


def _uses(part: Mapping[str, Any]) -> Iterator[Use]:
    path = part["path"]
    for place in part.get("mountpoints") or []:
        if place == "[SWAP]":
            yield Use(f"{path} is swap", f"sudo swapoff {path}")
        elif place:
            yield Use(f"{path} is mounted on {place}", f"sudo umount {place}")
    for child in part.get("children", []):
        if child["type"] not in {"part", *_KINDS}:
            text = f"{path} is part of {child['path']} ({child['type']})"
            yield Use(text, _end(child["type"], child["path"]))


def _end(kind: str, path: str) -> str:
    """Give the command that ends a volume of several parts, or an encrypted one."""
    if kind == "lvm":
        return f"sudo lvchange --activate n {path}"
    if kind == "crypt":
        return f"sudo cryptsetup close {path.rpartition('/')[2]}"
    return (
        f"sudo mdadm --stop {path}" if path.startswith("/dev/md") else f"sudo dmsetup remove {path}"
    )
