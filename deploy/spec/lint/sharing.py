"""Private SELinux labels on folders that others use."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit
from deploy.spec.lint.unit_text import Setting

_OF_THE_SYSTEM = frozenset({
    "/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/lib64", "/mnt", "/opt", "/proc",
    "/root", "/run", "/sbin", "/srv", "/sys", "/sysroot", "/tmp", "/usr", "/var", "/var/home",  # noqa: S108 -- names
    "/var/lib", "/var/lib/containers", "/var/log", "/var/roothome", "/var/tmp",  # noqa: S108
})  # fmt: skip
# What the specifiers mean in a system unit.
_SPECIFIERS = {"%t": "/run", "%S": "/var/lib", "%E": "/etc", "%C": "/var/cache", "%L": "/var/log",
               "%h": "/root"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Mount:
    unit: str
    source: str
    private: bool
    setting: Setting


def check(units: tuple[Unit, ...], _: Facts) -> Iterator[Finding]:
    """Find `:Z` on folders of the system, and on what a second container mounts too."""
    mounts = [mount for unit in units for mount in _mounts(unit)]
    for mount in mounts:
        if not mount.private:
            continue
        if mount.source in _OF_THE_SYSTEM:
            yield _finding(mount, f"{mount.source} is a folder of the system")
        others = sorted({one.unit for one in mounts if _shares(one, mount)})
        if others:
            yield _finding(mount, f"{', '.join(others)} mounts it as well")


def _finding(mount: _Mount, reason: str) -> Finding:
    return Finding(
        "error", "shared-relabel", mount.setting.file, mount.setting.line, mount.setting.text,
        f"{reason}: the private label of :Z keeps every other container out, under SELinux",
        ":z for a folder that several containers use; no label for one of the system",
    )  # fmt: skip


def _shares(one: _Mount, mount: _Mount) -> bool:
    if one.unit == mount.unit:
        return False
    if not (one.source.startswith("/") and mount.source.startswith("/")):
        return one.source == mount.source
    return posixpath.commonpath((one.source, mount.source)) in {one.source, mount.source}


def _mounts(unit: Unit) -> Iterator[_Mount]:
    section = unit.kind.capitalize()
    for setting in unit.all(section, "Volume"):
        source, _, rest = setting.value.partition(":")
        options = rest.partition(":")[2].split(",")
        if rest:
            yield _Mount(unit.name, _path(source), "Z" in options, setting)
    for setting in unit.all(section, "Mount"):
        named = dict(part.partition("=")[::2] for part in setting.value.split(","))
        source = named.get("source") or named.get("src") or ""
        if source and named.get("type") in {"bind", "volume"}:
            private = "Z" in named or named.get("relabel") == "private"
            yield _Mount(unit.name, _path(source), private, setting)


def _path(source: str) -> str:
    for specifier, folder in _SPECIFIERS.items():
        source = source.replace(specifier, folder)
    return posixpath.normpath(source) if source.startswith("/") else source
