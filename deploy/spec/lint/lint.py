"""Every trap there is, looked for in every unit."""

import re
from collections.abc import Iterator, Mapping

from deploy.spec.lint import credentials, execution, health, home, pods, sharing, timeouts, watchdog
from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit, read_units

# Traps that one line makes, and those that need the rest of the unit.
_OF_LINES = (execution.traps, credentials.traps)
_OF_WHOLE = (watchdog.traps, timeouts.traps, health.traps)
_OF_ALL = (sharing.traps, pods.traps)
_ALLOW = re.compile(r"^\s*[#;] lint: allow ([a-z -]+)$", re.MULTILINE)


def lint(files: Mapping[str, str], facts: Facts) -> tuple[Finding, ...]:
    """Look for traps in units and drop-ins, given by path; findings in the order of places."""
    units = read_units(files)
    found = [*_strays(units), *home.traps(facts)]
    for unit in units:
        for traps in (*_OF_LINES, *(_OF_WHOLE if unit.whole else ())):
            found += traps(unit, facts)
    for of_all in _OF_ALL:
        found += of_all(units, facts)
    found = [one for one in found if one.rule not in _allowed(files.get(one.file, ""))]
    return tuple(sorted(set(found), key=lambda one: (one.file, one.line, one.rule, one.found)))


def _allowed(text: str) -> set[str]:
    """Name the rules that a comment of the file's own author puts aside."""
    return {rule for match in _ALLOW.finditer(text) for rule in match[1].split()}


def _strays(units: tuple[Unit, ...]) -> Iterator[Finding]:
    for unit in units:
        for stray in unit.strays:
            yield Finding(
                "error", "stray-line", stray.file, stray.line, stray.text[:80],
                f"{stray.why}: systemd ignores such a line, Quadlet the whole file",
                "mend the line",
            )  # fmt: skip
