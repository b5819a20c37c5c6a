"""Compare a node with a machine spec."""

from collections.abc import Iterable, Iterator

from deploy.machine.drift.plan.difference import Difference, Remedy, shown
from deploy.machine.drift.plan.inspection import FoundPlace, Inspection
from deploy.machine.drift.plan.people_drift import people_drift
from deploy.spec.plan.machine import Machine, Place


def machine_drift(machine: Machine, found: Inspection) -> tuple[Difference, ...]:
    """Compare a node with a spec; files that belong to an app's release are skipped."""
    return (
        *_places(machine.places, found),
        *_enabled(machine, found),
        *_sysctl(machine, found),
        *_firewall(found),
        *people_drift(machine.people, found),
        *_kernel(machine, found),
    )


def differences(target: Machine, old: Machine | None, found: Inspection) -> tuple[Difference, ...]:
    """Compare a node with the spec to apply, and find what only its old spec brought."""
    return (
        *machine_drift(target, found),
        *_left_over(target, old, found),
        *_of_first_boot(target, old, found),
    )


def _places(places: Iterable[Place], found: Inspection) -> Iterator[Difference]:
    for place in places:
        if place.path not in found.claimed and (there := found.paths.get(place.path)):
            # The machine downloaded the content at its first boot: it is not here to be written.
            remedy: Remedy = "by hand" if place.content is None else "fab converge"
            yield from _place(place, there, remedy)


def _place(place: Place, there: FoundPlace, remedy: Remedy) -> Iterator[Difference]:
    path = place.path
    if there.kind != place.kind:
        yield Difference("file", path, place.kind, there.kind, there.mtime, remedy)
    elif place.kind == "link":
        if there.target != place.target:
            expected, is_now = f"-> {place.target}", f"-> {there.target}"
            yield Difference("file", path, expected, is_now, there.mtime, remedy)
    else:
        if place.kind == "file" and place.sha256 and there.sha256 != place.sha256:
            expected, is_now = shown(place.sha256), shown(there.sha256)
            yield Difference("file", path, expected, is_now, there.mtime, remedy)
        if there.mode != place.mode:
            yield Difference("mode", path, place.mode, there.mode, there.ctime, remedy)
        if _differs(place.owner, there.owner):
            yield Difference("owner", path, place.owner, there.owner, there.ctime, remedy)


def _differs(expected: str, found: str) -> bool:
    """Compare owners by name; an owner that the spec gives by number is not compared."""
    pairs = zip(expected.split(":"), found.split(":"), strict=False)
    return any(one != other and not one.isdecimal() for one, other in pairs)


def _enabled(machine: Machine, found: Inspection) -> Iterator[Difference]:
    for name in machine.enabled:
        enabled = found.units.get(name, "unknown")
        if enabled not in {"enabled", "enabled-runtime", "static", "generated", "alias"}:
            yield Difference("unit", name, "enabled", enabled)


def _sysctl(machine: Machine, found: Inspection) -> Iterator[Difference]:
    for name, value in machine.sysctl.items():
        # The kernel may lack this parameter.
        if (is_now := found.sysctl.get(name, value)) != value:
            yield Difference("sysctl", name, value, is_now)


def _firewall(found: Inspection) -> Iterator[Difference]:
    for line in found.firewall:
        sign, text = line[:2], line[2:].strip()
        if sign == "- ":
            yield Difference("firewall", text, "loaded", "missing")
        elif sign == "+ ":
            yield Difference("firewall", text, "absent", "loaded")
        else:
            yield Difference("firewall", "table inet corefab", "as its files say", line)


def _kernel(machine: Machine, found: Inspection) -> Iterator[Difference]:
    for argument in machine.kernel_arguments:
        if argument not in found.kernel_arguments:
            yield Difference("kernel argument", argument, "set", "absent", remedy="reinstall")


def _left_over(target: Machine, old: Machine | None, found: Inspection) -> Iterator[Difference]:
    if old is None:
        return
    known = {place.path for place in target.places} | found.claimed
    for place in old.places:
        there = found.paths.get(place.path)
        if place.kind != "folder" and place.path not in known and there and there.kind != "absent":
            yield Difference("file", place.path, "absent", there.kind, there.mtime)
    for name in sorted(set(old.enabled) - set(target.enabled)):
        if found.units.get(name) == "enabled":
            yield Difference("unit", name, "disabled", "enabled")


def _of_first_boot(target: Machine, old: Machine | None, found: Inspection) -> Iterator[Difference]:
    """Find what only a first boot makes, where the old spec had it otherwise."""
    if old is None:
        return
    expected, is_now = "as the settings say", "as its old spec says"
    for path, how in target.first_boot.items():
        there = found.paths.get(path)
        if old.first_boot.get(path) != how and not (there and there.kind == "absent"):
            yield Difference("file", path, expected, is_now, remedy="by hand")
    if old.layout != target.layout:
        yield Difference("disk", "disks and file systems", expected, is_now, remedy="reinstall")
