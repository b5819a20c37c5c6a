"""The rules of Ignition for filesystems, RAID arrays and LUKS volumes."""

from butane.errors import ButaneError
from butane.translate.finding import Place
from butane.translate.ignition_document import parse_json
from butane.translate.path_check import path_problem
from butane.translate.record import Record
from butane.translate.resource_check import BAD_SCHEME, BAD_URL, source_problem
from butane.translate.url import parse

_FORMATS = ("ext4", "btrfs", "xfs", "swap", "vfat")
_NONE_SINCE = 3
_LEVEL_REQUIRED_SINCE = 3
_ADVERTISEMENT_SINCE = 4
_CEX_SINCE = 5
_ANY_PIN_SINCE = 6
_OPTIONAL_CUSTOM_SINCE = 3
_PINS = ("tpm2", "tang", "sss")
_LUKS_LABEL_BYTES = 47
_LABEL_BYTES = {"ext4": 16, "btrfs": 256, "xfs": 12, "swap": 15, "vfat": 11}
_STRIPES = ("linear", "raid0", "0", "stripe")
_LEVELS = ("raid1", "1", "mirror", "raid4", "4", "raid5", "5", "raid6", "6", "raid10", "10")


def check_filesystem(filesystem: Record, at: Place) -> None:
    """Check a filesystem."""
    path = filesystem.text("path")
    at.error("path", message=path_problem(path) if path else "")
    at.error("device", message=path_problem(filesystem.text("device")))
    at.error("format", message=_format_problem(filesystem, at.spec))
    at.error("label", message=_label_problem(filesystem.text("label"), filesystem.text("format")))


def _format_problem(filesystem: Record, spec: int) -> str:
    form = filesystem.text("format")
    if form:
        known = form in _FORMATS or (form == "none" and spec >= _NONE_SINCE)
        return "" if known else "invalid filesystem format"
    described = (
        any(filesystem.text(name) for name in ("path", "label", "uuid"))
        or filesystem.is_true("wipe_filesystem")
        or any(filesystem.texts(name) for name in ("mount_options", "options"))
    )
    if not described:
        return ""
    return (
        "format cannot be empty when path, label, uuid, wipeFilesystem, options, or mountOptions"
        " is specified"
    )


def _label_problem(label: str, form: str) -> str:
    if not label:
        return ""
    if not form:
        return "filesystem must specify format if label is specified"
    most = _LABEL_BYTES.get(form)
    if most is None or len(label.encode("utf-8", "surrogateescape")) <= most:
        return ""
    return f"filesystem labels cannot be longer than {most} characters when using {form}"


def check_raid(raid: Record, at: Place) -> None:
    """Check a RAID array and its devices."""
    at.error("level", message=_level_problem(raid, at.spec))
    devices = raid.texts("devices")
    if not devices:
        at.error("devices", message="raid devices required")
    for index, device in enumerate(devices):
        at.error("devices", index, message=path_problem(device))


def _level_problem(raid: Record, spec: int) -> str:
    level = raid.text("level")
    if not level and spec >= _LEVEL_REQUIRED_SINCE:
        return "raid level is required"
    if level in _STRIPES:
        spares = "spares unsupported for linear and raid0 arrays"
        return spares if raid.number("spares") else ""
    return "" if level in _LEVELS else "unrecognized raid level"


def check_luks(luks: Record, at: Place) -> None:
    """Check an encrypted volume and the ways to unlock it."""
    if "/" in luks.text("name"):
        at.error("name", message="device names cannot contain slashes")
    if len(luks.text("label").encode("utf-8", "surrogateescape")) > _LUKS_LABEL_BYTES:
        message = f"luks device labels cannot be longer than {_LUKS_LABEL_BYTES} characters"
        at.error("label", message=message)
    device = luks.text("device")
    at.error("device", message=path_problem(device) if device else "disk device is required")
    clevis = luks.record("clevis")
    if _is_custom(clevis, at.spec) and _is_standard(clevis):
        message = "cannot use custom clevis config with tpm2, tang, or threshold"
        at.error("clevis", message=message)
    key_file = luks.record("key_file").text("source")
    if source_problem(key_file, at.spec):
        at.error("keys", message="invalid key-file source")
    if at.spec >= _CEX_SINCE and luks.record("cex").is_true("enabled"):
        if clevis.record("custom").text("pin") or _is_standard(clevis):
            at.error("cex", message="cannot use cex with clevis")
        if key_file:
            at.error("cex", message="cannot use key file with cex")


def _is_custom(clevis: Record, spec: int) -> bool:
    if spec < _OPTIONAL_CUSTOM_SINCE:
        return clevis.has("custom")
    return bool(clevis.record("custom").text("pin"))


def _is_standard(clevis: Record) -> bool:
    return bool(clevis.records("tang") or clevis.is_true("tpm2") or clevis.number("threshold"))


def check_custom(custom: Record, at: Place) -> None:
    """Check a clevis pin of one's own."""
    pin, config = custom.text("pin"), custom.text("config")
    later = at.spec >= _OPTIONAL_CUSTOM_SINCE
    if not pin and not config and not (later and custom.is_true("needs_network")):
        return
    if later and not pin:
        at.error("pin", message="missing required custom clevis pin")
    elif at.spec < _ANY_PIN_SINCE and pin not in _PINS:
        at.error("pin", message="unsupported clevis pin")
    if not config:
        at.error("config", message="missing required custom clevis config")


def check_tang(tang: Record, at: Place) -> None:
    """Check a Tang server."""
    url = parse(tang.text("url"))
    if url is None:
        at.error("url", message=BAD_URL)
    elif url.scheme not in ("http", "https"):
        at.error("url", message=BAD_SCHEME)
    if not tang.text("thumbprint"):
        at.error("thumbprint", message="thumbprint is required")
    advertisement = tang.text("advertisement")
    if at.spec >= _ADVERTISEMENT_SINCE and advertisement:
        try:
            parse_json(advertisement)
        except ButaneError:
            at.error("advertisement", message="advertisement is not valid JSON")
