"""Verb: every problem of settings, templates, overlays and units, with no node."""

import dataclasses
import re
from pathlib import Path

from butane.errors import ButaneError
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import SettingsError, read_settings
from deploy.spec.lint.finding import Finding
from deploy.spec.project_files import list_files
from deploy.spec.render import render
from deploy.spec.units import lines_of, traps, traps_of_overlays

_REFUSED = 1
_PLACED = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+): (?P<text>.*)", re.DOTALL)


def check(folder: Path, name: str | None, *, as_json: bool) -> int:
    """Look at all there is to see without a node; return 1 when something is wrong."""
    findings = _findings(folder, name)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if as_json:
        shown = [dataclasses.asdict(finding) for finding in findings]
        output.as_json({"errors": errors, "warnings": warnings, "findings": shown})
    else:
        _tell(findings, errors, warnings)
    return _REFUSED if errors else 0


def _findings(folder: Path, name: str | None) -> list[Finding]:
    try:
        settings = read_settings(folder, name)
    except SettingsError as error:
        problems = [_problem("settings", problem.text, error.hint) for problem in error.problems]
        return [*problems, *traps_of_overlays(folder)]
    return [*_project_files(Project(folder, settings)), *_units(Project(folder, settings))]


def _project_files(project: Project) -> list[Finding]:
    try:
        list_files(project.files)
    except DeployError as error:
        lines = error.message.splitlines()
        return [_problem("project-files", line, error.hint) for line in lines]
    return []


def _units(project: Project) -> list[Finding]:
    try:
        return list(traps(render(project)))
    except ButaneError as error:
        lines = error.message.splitlines()
        return [_problem("butane", line, error.hint) for line in lines] + list(
            traps_of_overlays(project.folder)
        )


def _problem(rule: str, text: str, remedy: str) -> Finding:
    found = _PLACED.fullmatch(text)
    if found is None:
        return Finding("error", rule, "", 0, text, "", remedy)
    return Finding("error", rule, found["file"], int(found["line"]), found["text"], "", remedy)


def _tell(findings: list[Finding], errors: int, warnings: int) -> None:
    for finding in findings:
        output.say(f"{finding.severity}: " + "\n  ".join(lines_of(finding)))
    if errors:
        output.fail(f"{errors} to mend, {warnings} to think about", "")
    else:
        seen = f", {warnings} to think about" if warnings else ""
        output.good(f"nothing to mend{seen}")
