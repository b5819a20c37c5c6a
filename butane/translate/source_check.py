"""The rules for a Butane file itself, before anything is translated."""

import re

from butane.translate.boot_device_check import check_boot_device, check_boot_luks, check_mirror
from butane.translate.finding import Check, Place
from butane.translate.nested_check import check_nested
from butane.translate.quadlet import template_of
from butane.translate.record import Record, Struct
from butane.translate.schema import (
    BOOT_DEVICE,
    BOOT_LUKS,
    CONFIG,
    DROPIN,
    GRUB_USER,
    MIRROR,
    QUADLET,
    UNIT,
)
from butane.translate.schema_ignition import RESOURCE
from butane.translate.schema_storage import DIRECTORY, FILE, FILESYSTEM, TREE

_BOOT_DISK = "/dev/disk/by-id/coreos-boot-disk"
_MOUNTABLE = re.compile(r"/(etc|var)(/|\Z)")
_CONFIG_SINCE = 6
_SWAP_SINCE = 4
_MOST_DIGITS = 7777
_QUADLETS = ("container", "volume", "network", "kube", "image", "build", "pod", "artifact")

_SOURCES = "only one of the following can be set: inline, local, source"
_UNIT_SOURCES = "only one of the following can be set: contents, contents_local"
_REUSE = (
    "partitions cannot be reused by label; number must be specified except on boot disk"
    f" ({_BOOT_DISK}) or when wipe_table is true"
)
_MOUNT_POINT = "path must be under /etc or /var if with_mount_unit is true"
_NO_FORMAT = "format is required if with_mount_unit is true"
_NO_PATH = "path is required if with_mount_unit is true and format is not swap"
_NO_LOCAL = "local is required"
_DECIMAL_MODE = (
    "unreasonable mode would be reasonable if specified in octal; remember to add a leading zero"
)
_QUADLET_NAME = (
    "unsupported file extension for quadlet: must be one of .container, .volume, .network, .kube,"
    " .image, .build, .pod, or .artifact"
)
_QUADLET_INSTANCE = "template instances cannot have contents or contents_local"


def _config(config: Record, at: Place) -> None:
    if at.minor < _CONFIG_SINCE:
        return
    mirrored = config.record("boot_device").record("mirror").texts("devices")
    storage = config.record("storage")
    for i, disk in enumerate(storage.records("disks")):
        if disk.text("device") in (_BOOT_DISK, *mirrored) or disk.is_true("wipe_table"):
            continue
        for p, partition in enumerate(disk.records("partitions")):
            if not partition.number("number") and partition.has("label"):
                at.warn("storage", "disks", i, "partitions", p, "number", message=_REUSE)
    for i, filesystem in enumerate(storage.records("filesystems")):
        path = filesystem.optional("path")
        mounted = path is not None and filesystem.is_true("with_mount_unit")
        if mounted and not _MOUNTABLE.match(path or ""):
            at.error("storage", "filesystems", i, "path", message=_MOUNT_POINT)


def _resource(resource: Record, at: Place) -> None:
    given = [name for name in ("local", "inline", "source") if resource.has(name)]
    if len(given) > 1:
        last = "inline" if at.minor == 0 else given[-1]
        at.error(last, message=_SOURCES)
    elif given == ["inline"] and at.path[:2] == ("ignition", "config"):
        check_nested(resource.text("inline"), at)


def _filesystem(filesystem: Record, at: Place) -> None:
    if not filesystem.is_true("with_mount_unit"):
        return
    swap = at.minor >= _SWAP_SINCE and filesystem.text("format") == "swap"
    no_path = not filesystem.text("path") and not swap
    if at.minor < _SWAP_SINCE and no_path:
        at.error("path", message=_NO_PATH)
    if not filesystem.text("format"):
        at.error("format", message=_NO_FORMAT)
    elif at.minor >= _SWAP_SINCE and no_path:
        at.error("path", message=_NO_PATH)


def _mode(node: Record, at: Place) -> None:
    mode = node.number("mode")
    directory = node.struct is DIRECTORY
    if mode is None or not 0 <= mode <= _MOST_DIGITS or set(str(mode)) & {"8", "9"}:
        return
    if not _is_usual(mode, directory) and _is_usual(int(str(mode), 8), directory):
        at.warn("mode", message=_DECIMAL_MODE)


def _is_usual(mode: int, directory: bool) -> bool:  # noqa: FBT001
    """Check whether a mode is a common one."""
    seen = 0
    for bits in (mode & 7, mode >> 3 & 7, mode >> 6 & 7):  # other, group, user
        added = bits & ~seen
        if seen & ~bits or (bits & 3 and not bits & 4) or (added & 1 and seen & 4):
            return False
        seen |= bits
    if not seen:
        return mode == 0
    if directory:
        return bool(seen & 1) and not mode & 0o4000 and (not mode & 0o3000 or bool(seen & 2))
    return not mode & 0o1000 and not (mode & 0o6000 and (not seen & 1 or mode & 2))


def _tree(tree: Record, at: Place) -> None:
    if not tree.text("local"):
        at.error(message=_NO_LOCAL)


def _unit(unit: Record, at: Place) -> None:
    if unit.has("contents") and unit.has("contents_local"):
        at.error("contents_local", message=_UNIT_SOURCES)


def _quadlet(quadlet: Record, at: Place) -> None:
    name = quadlet.text("name")
    if not name.endswith(tuple(f".{each}" for each in _QUADLETS)):
        at.error("name", message=_QUADLET_NAME)
    elif template_of(name):
        for each in ("contents", "contents_local"):
            if quadlet.has(each):
                at.error(each, message=_QUADLET_INSTANCE)
    else:
        _unit(quadlet, at)


def _grub_user(user: Record, at: Place) -> None:
    for name in ("name", "password_hash"):
        if not user.text(name):
            at.error(name, message=f'field "{name}" is required')


CHECKS: dict[Struct, Check] = {
    CONFIG: _config,
    RESOURCE: _resource,
    FILESYSTEM: _filesystem,
    DIRECTORY: _mode,
    FILE: _mode,
    TREE: _tree,
    UNIT: _unit,
    DROPIN: _unit,
    QUADLET: _quadlet,
    BOOT_DEVICE: check_boot_device,
    BOOT_LUKS: check_boot_luks,
    MIRROR: check_mirror,
    GRUB_USER: _grub_user,
}
