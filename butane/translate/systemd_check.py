"""The rules of Ignition for systemd units."""

import re

from butane.errors import ButaneError
from butane.translate.finding import Place
from butane.translate.record import Record
from butane.translate.unit_file import read_sections

_UNIT_NAME = re.compile(
    r"\.(service|socket|device|mount|automount|swap|target|path|timer|snapshot|slice|scope)\Z"
)
_INSTANCE = re.compile(r"([^\n]+?)@([^\n]+?)\.service")
_FOLDER = "/etc/systemd/system/"


def check_unit(unit: Record, at: Place) -> None:
    """Check a unit: its name, its syntax, and that enabling it does something."""
    if not _UNIT_NAME.search(unit.text("name")):
        at.error("name", message="invalid systemd unit extension")
    sections = _sections(unit, at)
    if not unit.is_true("enabled") or not unit.text("contents") or sections is None:
        return
    if "Install" not in sections:
        name = unit.text("name")
        message = f'unit "{name}" is enabled, but has no install section so enable does nothing'
        at.warn("contents", message=message)


def check_dropin(dropin: Record, at: Place) -> None:
    """Check a drop-in."""
    _sections(dropin, at)
    if not dropin.text("name").endswith(".conf"):
        at.error("name", message="invalid systemd drop-in extension")


def _sections(unit: Record, at: Place) -> set[str] | None:
    try:
        return read_sections(unit.text("contents"))
    except ButaneError as error:
        at.error("contents", message=error.message)
        return None


def check_systemd(systemd: Record, at: Place) -> None:
    """Check that the template of an enabled instance can be enabled."""
    units = {unit.text("name"): unit for unit in systemd.records("units")}
    for index, unit in enumerate(systemd.records("units")):
        instance = _INSTANCE.fullmatch(unit.text("name"))
        if instance is None or not unit.is_true("enabled"):
            continue
        name = f"{instance[1]}@.service"
        if name in units and not _is_installable(units[name]):
            at.warn(
                "units",
                index,
                "contents",
                message=f'template unit "{name}" for "{unit.text("name")}" doesn\'t have Install'
                " section",
            )


def _is_installable(template: Record) -> bool:
    try:
        sections = read_sections(template.text("contents"))
    except ButaneError:  # the template's own check reports it
        return True
    return not template.text("contents") or "Install" in sections


def check_unit_paths(config: Record, at: Place) -> None:
    """Check that no file, directory or link stands where a unit will."""
    paths = set()
    for unit in config.record("systemd").records("units"):
        folder = _FOLDER + unit.text("name")
        if unit.text("contents"):
            paths.add(folder)
        for dropin in unit.records("dropins"):
            if dropin.text("contents"):
                paths.add(f"{folder}.d/{dropin.text('name')}")
    for kind in ("files", "directories", "links"):
        for index, node in enumerate(config.record("storage").records(kind)):
            if node.text("path") in paths:
                message = "path conflicts with systemd unit or dropin"
                at.error("storage", kind, index, "path", message=message)
