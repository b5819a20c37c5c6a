"""Run every check on every unit."""

import re
from collections.abc import Iterator, Mapping

from deploy.spec.lint import credentials, execution, health, home, pods, sharing, timeouts, watchdog
from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import Unit, read_units

# Checks of single lines, of a unit whose own file is known, and of all units together.
_OF_LINES = (execution.check, credentials.check)
_OF_WHOLE = (watchdog.check, timeouts.check, health.check)
_OF_ALL = (sharing.check, pods.check)
_ALLOW = re.compile(r"^\s*[#;] lint: allow ([a-z -]+)$", re.MULTILINE)


def lint(files: Mapping[str, str], facts: Facts) -> tuple[Finding, ...]:
    """Lint units and drop-ins, given by path; findings are sorted by file and line."""
    units = read_units(files)
    found = [*_strays(units), *home.check(facts)]
    for unit in units:
        for check in (*_OF_LINES, *(_OF_WHOLE if unit.whole else ())):
            found += check(unit, facts)
    for of_all in _OF_ALL:
        found += of_all(units, facts)
    found = [one for one in found if one.rule not in _allowed(files.get(one.file, ""))]
    return tuple(sorted(set(found), key=lambda one: (one.file, one.line, one.rule, one.found)))


def _allowed(text: str) -> set[str]:
    """Read the rules that comments in the file switch off."""
    return {rule for match in _ALLOW.finditer(text) for rule in match[1].split()}


def _strays(units: tuple[Unit, ...]) -> Iterator[Finding]:
    for unit in units:
        for stray in unit.strays:
            yield Finding(
                "error", "stray-line", stray.file, stray.line, stray.text[:80],
                f"{stray.why}: systemd ignores such a line, Quadlet the whole file",
                "correct the line",
            )  # fmt: skip
