"""Gather the units of an app and its machine, and lint them before anything is written."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from container.supervise.specification import shortest_watchdog, worker
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import OVERLAYS
from deploy.spec.lint.finding import Facts, Finding, Home, Rhythm
from deploy.spec.lint.lint import lint
from deploy.spec.lint.unit import is_drop_in, is_unit
from deploy.spec.plan.machine import Machine, Place, read_machine
from deploy.spec.render import Rendered, Sources

_USERS = "/etc/sysusers.d/"
_IGNORED = {"command": "app", "name": "app"}


def lint_units(rendered: Rendered, *, podman: str = "") -> tuple[Finding, ...]:
    """Lint every unit of the machine spec."""
    sources = rendered.sources
    machine = read_machine(rendered.compiled.ignition)
    files = _carried(machine.places, sources)
    files |= _loose(sources, files)
    texts = {name: text for name, (_, text) in files.items()}
    places = {name: place for name, (place, _) in files.items()}
    facts = Facts(rhythm, podman, tuple(_homes(sources, machine)))
    found = lint(texts, facts)
    return tuple(replace(one, file=places.get(one.file, one.file)) for one in found)


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


def _carried(places: tuple[Place, ...], sources: Sources) -> dict[str, tuple[str, str]]:
    """Map each unit's path on the node to its source, for display, and its text."""
    origins = {content: str(_origin(sources, name)) for name, content in sources.all.items()}
    found: dict[str, tuple[str, str]] = {}
    for place in places:
        if place.content and (is_unit(place.path) or is_drop_in(place.path)):
            origin = origins.get(place.content)
            shown = f"{origin} ({place.path})" if origin else place.path
            found[place.path] = (shown, place.text)
    return found


def _loose(sources: Sources, carried: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Find unit files among the overlays that no Butane file refers to yet."""
    texts = {text for _, text in carried.values()}
    found: dict[str, tuple[str, str]] = {}
    for name, content in sources.overlays.items():
        origin, text = str(OVERLAYS / name), content.decode(errors="replace")
        if text not in texts and (is_unit(name) or is_drop_in(name)):
            found[origin] = (origin, text)
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
