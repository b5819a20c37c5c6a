"""Where a node is no longer what its machine spec says."""

from collections.abc import Iterable, Iterator

from deploy.machine.drift.plan.difference import Difference, Remedy, difference, shown
from deploy.machine.drift.plan.inspection import FoundPlace, Inspection
from deploy.machine.drift.plan.people_drift import people_drift, strangers
from deploy.spec.plan.machine import Machine, Place


def machine_drift(machine: Machine, found: Inspection) -> tuple[Difference, ...]:
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


def differences(target: Machine, born: Machine | None, found: Inspection) -> tuple[Difference, ...]:
    """Compare a node with the spec it shall have, and with what is over of the one it had."""
    return (*machine_drift(target, found), *_left_over(target, born, found))


def _places(places: Iterable[Place], found: Inspection) -> Iterator[Difference]:
    for place in places:
        if place.path not in found.claimed and (there := found.paths.get(place.path)):
            # What the machine downloaded at its first boot is not here to be written again.
            remedy: Remedy = "by hand" if place.content is None else "fab converge"
            yield from _place(place, there, remedy)


def _place(place: Place, there: FoundPlace, remedy: Remedy) -> Iterator[Difference]:
    path = place.path
    if there.kind != place.kind:
        yield difference(("file", path), place.kind, there.kind, there.mtime, remedy)
    elif place.kind == "link":
        if there.target != place.target:
            yield difference(
                ("file", path), f"-> {place.target}", f"-> {there.target}", there.mtime, remedy
            )
    else:
        if place.kind == "file" and place.sha256 and there.sha256 != place.sha256:
            wanted, held = shown(place.sha256), shown(there.sha256)
            yield difference(("file", path), wanted, held, there.mtime, remedy)
        if there.mode != place.mode:
            yield difference(("mode", path), place.mode, there.mode, there.ctime, remedy)
        if _differs(place.owner, there.owner):
            yield difference(("owner", path), place.owner, there.owner, there.ctime, remedy)


def _differs(wanted: str, there: str) -> bool:
    """Compare owners by name; a spec may name some by number, which `stat` does not write."""
    pairs = zip(wanted.split(":"), there.split(":"), strict=True)
    return any(want != held and not want.isdecimal() for want, held in pairs)


def _enabled(machine: Machine, found: Inspection) -> Iterator[Difference]:
    for name in machine.enabled:
        there = found.units.get(name)
        enabled = there.enabled if there else "unknown"
        if enabled not in {"enabled", "enabled-runtime", "static", "generated", "alias"}:
            yield difference(("unit", name), "enabled", enabled, None, "fab converge")


def _sysctl(machine: Machine, found: Inspection) -> Iterator[Difference]:
    for name, value in machine.sysctl.items():
        held = found.sysctl.get(name)
        # A kernel without the parameter has nothing to be set.
        if held is not None and held != value:
            yield difference(("sysctl", name), value, held, None, "fab converge")


def _firewall(found: Inspection) -> Iterator[Difference]:
    for line in found.firewall:
        sign, text = line[:2], line[2:].strip()
        if sign == "- ":
            yield difference(("firewall", text), "loaded", "missing", None, "fab converge")
        elif sign == "+ ":
            yield difference(("firewall", text), "absent", "loaded", None, "fab converge")
        else:
            yield difference(
                ("firewall", "table inet corefab"), "as its files say", line, None, "fab converge"
            )


def _kernel(machine: Machine, found: Inspection) -> Iterator[Difference]:
    for argument in machine.kernel_arguments:
        if argument not in found.kernel_arguments:
            yield difference(("kernel argument", argument), "set", "absent", None, "reinstall")


def _left_over(target: Machine, born: Machine | None, found: Inspection) -> Iterator[Difference]:
    if born is None:
        return
    wanted = {place.path for place in target.places} | found.claimed
    for place in born.places:
        there = found.paths.get(place.path)
        if place.kind != "folder" and place.path not in wanted and there and there.kind != "absent":
            held, since = there.kind, there.mtime
            yield difference(("file", place.path), "absent", held, since, "fab converge")
    for name in sorted(set(born.enabled) - set(target.enabled)):
        unit = found.units.get(name)
        if unit and unit.enabled == "enabled":
            yield difference(("unit", name), "disabled", "enabled", None, "fab converge")
    if born.layout != target.layout:
        yield difference(
            ("disk", "disks and file systems"), "as the settings say", "as it was born", None,
            "reinstall",
        )  # fmt: skip
