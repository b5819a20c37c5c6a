"""Gather the units of an app and its machine, and lint them before anything is written."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from butane.translate.yaml_node import Node
from container.supervise.specification import shortest_watchdog, worker
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import OVERLAYS
from deploy.spec.lint.finding import Facts, Finding, Home, Rhythm
from deploy.spec.lint.lint import lint
from deploy.spec.lint.unit import is_drop_in, is_unit
from deploy.spec.overlays import nodes_below, unused_overlays
from deploy.spec.plan.machine import Machine, Place, read_machine
from deploy.spec.render import Rendered, Sources
from deploy.spec.route_files import unused_routes

_USERS = "/etc/sysusers.d/"
_IGNORED = {"command": "app", "name": "app"}


@dataclass(frozen=True, slots=True)
class _Unit:
    """A unit's source, for display, its text, and the source's line of each line of it."""

    shown: str
    text: str
    lines: tuple[int, ...]

    def own(self, found: Finding) -> Finding:
        """Show a finding at the unit's source."""
        known = 0 < found.line <= len(self.lines)
        line = self.lines[found.line - 1] if known else found.line
        return replace(found, file=self.shown, line=line)


def lint_units(rendered: Rendered, *, podman: str = "") -> tuple[Finding, ...]:
    """Lint every unit of the machine spec, and find overlays that are none."""
    sources = rendered.sources
    machine = read_machine(rendered.compiled.ignition)
    files = _carried(machine.places, sources, rendered.assembled.root)
    files |= _loose(sources, files)
    texts = {name: unit.text for name, unit in files.items()}
    facts = Facts(rhythm, podman, tuple(_homes(sources, machine)))
    found = lint(texts, facts)
    return (
        *(files[one.file].own(one) if one.file in files else one for one in found),
        *unused_overlays(sources.overlays, rendered.assembled.root),
        *unused_routes(rendered.project),
    )


def lint_overlays(folder: Path) -> tuple[Finding, ...]:
    """Lint the overlays' unit files with their blanks unfilled, for when settings are invalid."""
    root = folder / OVERLAYS
    files = {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(root.rglob("*"))
        if path.is_file() and (is_unit(path.name) or is_drop_in(str(path)))
    }
    return lint(files, Facts(rhythm))


def refuse_errors(rendered: Rendered, *, podman: str = "") -> None:
    """Print the lint's warnings; stop when it finds an error.

    Raises:
        DeployError: with every error.
    """
    found = lint_units(rendered, podman=podman)
    errors = [finding for finding in found if finding.severity == "error"]
    if errors:
        count = output.count(len(errors), "error")
        lines = "\n".join(f"  {line}" for finding in errors for line in lines_of(finding))
        raise DeployError(f"{count} in the units:\n{lines}", "fix them, then run `fab check`")
    if not podman:
        # With the node's podman version known, the warnings were printed before.
        for finding in found:
            output.warn("\n  ".join(lines_of(finding)))


def lines_of(finding: Finding) -> tuple[str, ...]:
    """Format a finding as lines of text."""
    place = f"{finding.place}: " if finding.file else ""
    first = f"{place}{finding.found} [{finding.rule}]"
    return (first, *([f"  {finding.why}"] if finding.why else []), f"  -> {finding.remedy}")


def rhythm(policy: str) -> Rhythm:
    """Read the times of a SUPERVISE_SET text; of several workers the slowest counts."""
    tables, problems = _tables(policy)
    read = [worker(table, "SUPERVISE_SET", problems) for table in tables]
    return Rhythm(
        interval=max(float(str(one["interval"])) for one in read),
        start=max(float(str(one["start"])) for one in read),
        shortest_watchdog=max(shortest_watchdog(one) for one in read),
        problems=tuple(dict.fromkeys(problems)),
        said=frozenset(key for table in tables for key in table if key not in _IGNORED),
    )


def _tables(policy: str) -> tuple[list[dict[str, object]], list[str]]:
    """Make a table of settings for each named worker, and one for all others."""
    named: dict[str, dict[str, object]] = {"": {}}
    problems: list[str] = []
    for setting in policy.split():
        path, equals, value = setting.partition("=")
        name, _, key = path.rpartition(".")
        if not equals:
            problems.append(f"{setting}: not KEY=VALUE or NAME.KEY=VALUE")
        elif key != "user":  # the image's users are not known here
            named.setdefault(name, {})[key] = value
    shared = named.pop("")
    return [_IGNORED | shared | own for own in (*named.values(), {})], problems


def _origin(sources: Sources, name: str) -> Path:
    """Give the path of an overlay or a template, relative to the operator's folder."""
    return (OVERLAYS if name in sources.overlays else Path("butane/templates")) / name


def _carried(places: tuple[Place, ...], sources: Sources, root: Node) -> dict[str, _Unit]:
    """Find each unit of the machine by its path on the node."""
    origins = {content: name for name, content in sources.all.items()}
    inline = {node.text: node for node in nodes_below(root) if node.kind == "scalar"}
    found: dict[str, _Unit] = {}
    for place in places:
        if place.content and (is_unit(place.path) or is_drop_in(place.path)):
            if origin := origins.get(place.content):
                file, lines = _origin(sources, origin), sources.lines.get(origin, ())
                found[place.path] = _Unit(f"{file} ({place.path})", place.text, lines)
            elif node := inline.get(place.text):
                found[place.path] = _inline(place, node, sources)
            else:
                found[place.path] = _Unit(f"{place.path} of the machine", place.text, ())
    return found


def _inline(place: Place, node: Node, sources: Sources) -> _Unit:
    """Describe a unit whose text is part of a Butane file."""
    count = place.text.count("\n") + 1
    overlay = node.file.removeprefix(f"{OVERLAYS}/")
    file = _origin(sources, overlay)
    lines = (node.line,) * count
    if node.style == "|":
        # The lines after the sign, each where it is in the file before its blanks were filled.
        every = sources.lines.get(overlay) or range(1, node.line + count + 1)
        first = every.index(node.line) + 1
        lines = tuple(every[first : first + count])
    return _Unit(f"{file} ({place.path})", place.text, lines)


def _loose(sources: Sources, carried: Mapping[str, _Unit]) -> dict[str, _Unit]:
    """Find unit files among the overlays that no Butane file refers to yet."""
    texts = {unit.text for unit in carried.values()}
    found: dict[str, _Unit] = {}
    for name, content in sources.overlays.items():
        origin, text = str(OVERLAYS / name), content.decode(errors="replace")
        if text not in texts and (is_unit(name) or is_drop_in(name)):
            found[origin] = _Unit(origin, text, sources.lines.get(name, ()))
    return found


def _homes(sources: Sources, machine: Machine) -> Iterator[Home]:
    yield from (_home(sources, one.name, one.home) for one in machine.people if one.home)
    for place in machine.places:
        if place.path.startswith(_USERS):
            for number, line in enumerate(place.text.splitlines(), 1):
                words = shlex.split(line, comments=True)
                if words[:1] and words[0].startswith("u") and len(words) > 4:  # noqa: PLR2004
                    yield Home(words[1], words[4], place.path, number)


def _home(sources: Sources, user: str, home: str) -> Home:
    pattern = re.compile(rf"home_dir:\s*[\"']?{re.escape(home)}\b")
    for name, content in sources.all.items():
        if name.endswith(".bu"):
            for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
                if pattern.search(line):
                    return Home(user, home, str(_origin(sources, name)), number)
    return Home(user, home, "passwd.users")
