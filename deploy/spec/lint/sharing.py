"""What containers share: folders with a private SELinux label, pods that restart them all."""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.health import version
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
_KNOWS_EXIT_POLICY = (5, 6)


@dataclass(frozen=True, slots=True)
class _Mount:
    unit: str
    source: str
    private: bool
    setting: Setting


def check(units: tuple[Unit, ...], facts: Facts) -> Iterator[Finding]:
    """Find private labels on what others use, and pods that end together with a container."""
    yield from _labels(units)
    yield from _pods(units, version(facts.podman))


def _labels(units: tuple[Unit, ...]) -> Iterator[Finding]:
    mounts = [mount for unit in units for mount in _mounts(unit)]
    for mount in mounts:
        if not mount.private:
            continue
        if mount.source in _OF_THE_SYSTEM:
            yield _finding(mount, f"{mount.source} is a folder of the system")
        others = sorted({one.unit for one in mounts if _shares(one, mount)})
        if others:
            yield _finding(mount, f"{', '.join(others)} mounts it as well")


def _pods(units: tuple[Unit, ...], podman: tuple[int, ...]) -> Iterator[Finding]:
    knows_policy = not podman or podman >= _KNOWS_EXIT_POLICY
    policies = {unit.name: unit.word("Pod", "ExitPolicy") for unit in units if knows_policy}
    for unit in units:
        pod = unit.last("Container", "Pod")
        if pod and policies.get(pod.value) != "continue":
            yield Finding(
                "error", "pod-restarts", pod.file, pod.line, pod.text,
                "the pod ends with its last container and takes the services that are bound to it"
                " along: the restart of one container becomes a restart of others",
                "a .network that the containers share, where each finds the other by its name; or"
                " ExitPolicy=continue in the pod (podman 5.6)",
            )  # fmt: skip


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
