"""The rules for `boot_device`."""

import re

from butane.translate.finding import Place
from butane.translate.record import Record

_STRICT_MIRROR_SINCE = 7
_S390X_SINCE = 6
_LUKS_METHOD_SINCE = 7
_LAYOUTS = ("aarch64", "ppc64le", "x86_64")
_S390X = ("s390x-eckd", "s390x-virt", "s390x-zfcp")
_DEVICE = {
    "s390x-eckd": re.compile(r"/dev/dasd[a-z]\Z"),
    "s390x-zfcp": re.compile(r"/dev/sd[a-z]\Z"),
}

_NEEDS_LAYOUT = "boot_device.layout should be specified when boot_device.mirror is specified"
_UNKNOWN_OLD = "layout must be one of: aarch64, ppc64le, x86_64"
_UNKNOWN = "layout must be one of: aarch64, ppc64le, s390x-eckd, s390x-virt, s390x-zfcp, x86_64"
_NO_DEVICE = "device is required for layouts: s390x-eckd, s390x-zfcp"
_BAD_DEVICE = (
    "device name must start with /dev/dasd on s390x-eckd layout or /dev/sd on s390x-zfcp layout"
)
_NO_MIRROR = "mirroring not supported on layouts: s390x-eckd, s390x-zfcp, s390x-virt"
_CEX_LAYOUT = "when using cex the targeted architecture must match s390x"
_CEX_CLEVIS = "cannot use cex with clevis"
_NO_METHOD = "no method specified for luks"
_TOO_FEW = "mirroring requires at least two devices"


def check_boot_device(boot: Record, at: Place) -> None:
    """Check the layout against the mirror and the encryption."""
    layout = boot.optional("layout")
    mirrored = bool(boot.record("mirror").texts("devices"))
    if mirrored and layout is None:
        report = at.error if at.minor >= _STRICT_MIRROR_SINCE else at.warn
        report("mirror", message=_NEEDS_LAYOUT)
    if layout is not None:
        at.error("layout", message=_layout_problem(layout, boot.record("luks"), at.minor))
        if at.minor >= _S390X_SINCE and layout.startswith("s390x") and mirrored:
            at.error("layout", message=_NO_MIRROR)
    _check_cex(boot.record("luks"), layout, at)
    check_mirror(boot.record("mirror"), at.below("mirror"))


def _layout_problem(layout: str, luks: Record, minor: int) -> str:
    if layout in _LAYOUTS:
        return ""
    if minor < _S390X_SINCE:
        return _UNKNOWN_OLD
    if layout not in _S390X:
        return _UNKNOWN
    pattern = _DEVICE.get(layout)
    if pattern is None:
        return ""
    device = luks.text("device")
    if not device:
        return _NO_DEVICE
    return "" if pattern.search(device) else _BAD_DEVICE


def _check_cex(luks: Record, layout: str | None, at: Place) -> None:
    if not luks.record("cex").is_true("enabled"):
        return
    if layout is None:
        at.error("luks", "cex", message=_CEX_LAYOUT)
    elif not layout.startswith("s390x"):
        at.error("layout", message=_CEX_LAYOUT)
    if luks.records("tang") or luks.is_true("tpm2"):
        at.error("luks", message=_CEX_CLEVIS)


def check_boot_luks(luks: Record, at: Place) -> None:
    """Check that an encrypted device says how it is unlocked."""
    if at.minor < _LUKS_METHOD_SINCE or not luks.text("device"):
        return
    unlocked = (
        any(tang.values for tang in luks.records("tang"))
        or luks.is_true("tpm2")
        or luks.record("cex").is_true("enabled")
    )
    if not unlocked:
        at.error("luks", message=_NO_METHOD)


def check_mirror(mirror: Record, at: Place) -> None:
    """Check that a mirror has more than one disk."""
    if len(mirror.texts("devices")) == 1:
        at.error("devices", message=_TOO_FEW)
