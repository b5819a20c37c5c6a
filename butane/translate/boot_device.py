"""The boot device: a mirror of several disks, an encrypted root, or both.

The partition sizes and types are those of the Fedora CoreOS disk image.
"""

from dataclasses import dataclass, field

from butane.translate.lower import Lowering
from butane.translate.record import Path, Record, Value
from butane.translate.schema import CONFIG
from butane.translate.schema_storage import (
    CEX,
    CLEVIS,
    DISK,
    FILESYSTEM,
    LUKS,
    PARTITION,
    RAID,
    STORAGE,
)
from butane.translate.source_map import SourceMap

_RESERVED = ("reserved", 1, "8DA63339-0007-60C0-C436-083AC8230908")
_BIOS = ("bios", 1, "21686148-6449-6E6F-744E-656564454649")
_PREP = ("prep", 4, "9E1A2D38-C612-4316-AA26-8B49521E5A8B")
_ESP = ("esp", 127, "C12A7328-F81F-11D2-BA4B-00A0C93EC93B")
_BOOT_MIB = 384
_FIRST = {"x86_64": _BIOS, "ppc64le": _PREP}
_WITH_ESP = ("x86_64", "aarch64")
_PARTITION_SUFFIX = {"s390x-eckd": "2", "s390x-zfcp": "4"}


def add_boot_device(source: Record, config: Record, at: Lowering) -> Record:
    """Merge the disks of a mirrored or encrypted root beneath the user's own."""
    wanted = source.record("boot_device")
    devices, luks = wanted.record("mirror").texts("devices"), wanted.record("luks")
    encrypted = (
        luks.is_true("tpm2") or luks.records("tang") or luks.record("cex").is_true("enabled")
    )
    if not devices and not encrypted:
        return config
    boot = _Boot(wanted, wanted.optional("layout") or "x86_64", devices)
    if devices:
        boot.mirror()
    if encrypted:
        boot.encrypt()
    boot.root()
    return at.merge_beneath(config, Record(CONFIG, {"storage": boot.storage}), boot.sources)


@dataclass(slots=True)
class _Boot:
    wanted: Record
    layout: str
    devices: list[str]
    storage: Record = field(default_factory=lambda: Record(STORAGE))
    sources: SourceMap = field(default_factory=SourceMap)

    def mirror(self) -> None:
        """Partition every disk alike and join the boot and root partitions."""
        origin: Path = ("boot_device", "mirror")
        for index, device in enumerate(self.devices):
            self._add("disks", _disk(device, index + 1, self.layout), (*origin, "devices", index))
            if self.layout in _WITH_ESP:
                label = f"esp-{index + 1}"
                esp = _filesystem(f"/dev/disk/by-partlabel/{label}", "vfat", label)
                self._add("filesystems", esp, (*origin, "devices", index))
        for name, options in (("boot", ["--metadata=1.0"]), ("root", [])):
            self._add("raid", self._raid(name, options), origin)
        self._add("filesystems", _filesystem("/dev/md/md-boot", "ext4", "boot"), origin)
        self.sources.add((*origin, "devices"), ("storage", "disks"))
        self.sources.add(origin, ("storage", "raid"))

    def encrypt(self) -> None:
        """Put the root filesystem into a LUKS volume."""
        luks = self.wanted.record("luks")
        values: dict[str, Value] = {
            "device": self._encrypted_device(),
            "label": "luks-root",
            "name": "root",
            "wipe_volume": True,
        }
        if luks.has("discard"):
            values["discard"] = luks.is_true("discard")
        if luks.record("cex").is_true("enabled"):
            values["cex"] = Record(CEX, {"enabled": True})
            kept, below = ["enabled"], "cex"
        else:
            kept, below = [name for name in _CLEVIS if luks.has(name)], "clevis"
            values["clevis"] = Record(CLEVIS, {name: luks.values[name] for name in kept})
        origin: Path = ("boot_device", "luks")
        self._add("luks", Record(LUKS, values), origin)
        self.sources.add(origin, ("storage", "luks"))
        to: Path = ("storage", "luks", 0)
        self.sources.add((*origin, "discard"), (*to, "discard"))
        for name in kept:
            for path in self.sources.below((*to, below, name)):
                self.sources.add((*origin, *path[len(to) + 1 :]), path)

    def root(self) -> None:
        """Make the root filesystem, on the outermost of the layers."""
        encrypted = self.storage.has("luks")
        device = "/dev/mapper/root" if encrypted else "/dev/md/md-root"
        self._add("filesystems", _filesystem(device, "xfs", "root"), ("boot_device",))
        self.sources.add(("boot_device",), ("storage", "filesystems"))
        self.sources.add(("boot_device",), ("storage",))

    def _add(self, kind: str, item: Record, origin: Path) -> None:
        items = self.storage.records(kind)
        self.sources.add_all(origin, ("storage", kind, len(items)), item)
        self.storage.values[kind] = [*items, item]

    def _raid(self, name: str, options: list[str]) -> Record:
        numbers = range(1, len(self.devices) + 1)
        devices = [f"/dev/disk/by-partlabel/{name}-{number}" for number in numbers]
        values: dict[str, Value] = {"devices": devices, "level": "raid1", "name": f"md-{name}"}
        return Record(RAID, values | ({"options": options} if options else {}))

    def _encrypted_device(self) -> str:
        if suffix := _PARTITION_SUFFIX.get(self.layout):
            return self.wanted.record("luks").text("device") + suffix
        return "/dev/md/md-root" if self.devices else "/dev/disk/by-partlabel/root"


_CLEVIS = ("tang", "threshold", "tpm2")


def _disk(device: str, number: int, layout: str) -> Record:
    first = _FIRST.get(layout, _RESERVED)
    second = _ESP if layout in _WITH_ESP else _RESERVED
    partitions = [
        _partition(f"{label}-{number}", size_mib=size, type_guid=guid)
        for label, size, guid in (first, second)
    ]
    partitions.append(_partition(f"boot-{number}", size_mib=_BOOT_MIB))
    partitions.append(_partition(f"root-{number}"))
    return Record(DISK, {"device": device, "partitions": partitions, "wipe_table": True})


def _partition(label: str, **values: Value) -> Record:
    return Record(PARTITION, {"label": label, **values})


def _filesystem(device: str, kind: str, label: str) -> Record:
    values: dict[str, Value] = {"device": device, "format": kind, "label": label}
    return Record(FILESYSTEM, values | {"wipe_filesystem": True})
