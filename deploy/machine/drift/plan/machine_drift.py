"""Where a node is no longer what its machine spec says."""

from collections.abc import Iterable, Iterator

from deploy.machine.drift.plan.finding import Finding, Remedy, finding, shown
from deploy.machine.drift.plan.inspection import FoundPlace, Inspection
from deploy.machine.drift.plan.people_drift import people_drift, strangers
from deploy.spec.plan.machine import Machine, Place


def machine_drift(machine: Machine, found: Inspection) -> tuple[Finding, ...]:
    """Compare a node with a spec alone; the files of apps are their releases' business."""
    return (
        *_places(machine.places, found),
        *_enabled(machine, found),
        *_sysctl(machine, found),
        *_firewall(found),
        *people_drift(machine.people, found),
        *strangers(machine.people, found),
        *_kernel(machine, found),
    )


def _places(places: Iterable[Place], found: Inspection) -> Iterator[Finding]:
    for place in places:
        if place.path not in found.claimed and (there := found.paths.get(place.path)):
            yield from _place(place, there, "fab converge")


def _place(place: Place, there: FoundPlace, remedy: Remedy) -> Iterator[Finding]:
    path = place.path
    if there.kind != place.kind:
        yield finding(("file", path), place.kind, there.kind, there.mtime, remedy)
    elif place.kind == "link":
        if there.target != place.target:
            yield finding(
                ("file", path), f"-> {place.target}", f"-> {there.target}", there.mtime, remedy
            )
    else:
        if place.kind == "file" and there.sha256 != place.sha256:
            wanted, held = shown(place.sha256), shown(there.sha256)
            yield finding(("file", path), wanted, held, there.mtime, remedy)
        if there.mode != place.mode:
            yield finding(("mode", path), place.mode, there.mode, there.ctime, remedy)
        if _differs(place.owner, there.owner):
            yield finding(("owner", path), place.owner, there.owner, there.ctime, remedy)


def _differs(wanted: str, there: str) -> bool:
    """Compare owners by name; a spec may name some by number, which `stat` does not write."""
    pairs = zip(wanted.split(":"), there.split(":"), strict=True)
    return any(want != held and not want.isdecimal() for want, held in pairs)


def _enabled(machine: Machine, found: Inspection) -> Iterator[Finding]:
    for name in machine.enabled:
        there = found.units.get(name)
        enabled = there.enabled if there else "unknown"
        if enabled not in {"enabled", "enabled-runtime", "static", "generated", "alias"}:
            yield finding(("unit", name), "enabled", enabled, None, "fab converge")


def _sysctl(machine: Machine, found: Inspection) -> Iterator[Finding]:
    for name, value in machine.sysctl.items():
        held = found.sysctl.get(name)
        # A kernel without the parameter has nothing to be set.
        if held is not None and held != value:
            yield finding(("sysctl", name), value, held, None, "fab converge")


def _firewall(found: Inspection) -> Iterator[Finding]:
    for line in found.firewall:
        sign, text = line[:2], line[2:].strip()
        if sign == "- ":
            yield finding(("firewall", text), "loaded", "missing", None, "fab converge")
        elif sign == "+ ":
            yield finding(("firewall", text), "absent", "loaded", None, "fab converge")
        else:
            yield finding(
                ("firewall", "table inet corefab"), "as its files say", line, None, "fab converge"
            )


def _kernel(machine: Machine, found: Inspection) -> Iterator[Finding]:
    for argument in machine.kernel_arguments:
        if argument not in found.kernel_arguments:
            yield finding(("kernel argument", argument), "set", "absent", None, "reinstall")
