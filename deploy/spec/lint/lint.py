"""Run every check on every unit."""

import re
from collections.abc import Iterator, Mapping

from deploy.spec.lint import auto_update, hardening, health, lines, sharing, timeouts, watchdog
from deploy.spec.lint.finding import Facts, Finding
from deploy.spec.lint.unit import read_units

# Checks of a unit whose own file is known.
_OF_WHOLE = (watchdog.check, timeouts.check, health.check, auto_update.check)
_ALLOW = re.compile(r"^\s*[#;] lint: allow ([a-z -]+)$", re.MULTILINE)


def lint(files: Mapping[str, str], facts: Facts) -> tuple[Finding, ...]:
    """Lint units and drop-ins, given by path; findings are sorted by file and line."""
    units = read_units(files)
    found = [*_homes(facts), *sharing.check(units, facts)]
    for unit in units:
        found += [*unit.strays, *lines.check(unit), *hardening.check(unit)]
        for check in _OF_WHOLE if unit.whole else ():
            found += check(unit, facts)
    found = [one for one in found if one.rule not in _allowed(files.get(one.file, ""))]
    return tuple(sorted(set(found), key=lambda one: (one.file, one.line, one.rule, one.found)))


def _allowed(text: str) -> set[str]:
    """Read the rules that comments in the file switch off."""
    return {rule for match in _ALLOW.finditer(text) for rule in match[1].split()}


def _homes(facts: Facts) -> Iterator[Finding]:
    """Find home folders under /home, which is a link on Fedora CoreOS."""
    for home in facts.homes:
        if home.folder == "/home" or home.folder.startswith("/home/"):
            yield Finding(
                "error", "home-under-home", home.file, home.line,
                f"home_dir of {home.user} is {home.folder}",
                "Fedora CoreOS keeps homes in /var/home; /home is a link, and labelling a home"
                " there fails the first boot of current releases",
                f"no home_dir, or /var{home.folder}",
            )  # fmt: skip
