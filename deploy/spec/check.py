"""Verb: list every problem of settings, templates, overlays and units; no node is needed."""

import dataclasses
import re
from pathlib import Path

from butane.errors import ButaneError
from certs.errors import CertError
from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.settings.load import SettingsError, read_settings
from deploy.spec.beside import apps_beside
from deploy.spec.lint.finding import Finding
from deploy.spec.project_files import list_files
from deploy.spec.render import render
from deploy.spec.units import lines_of, lint_overlays, lint_units

_FAILED = 1
_LOCATED = re.compile(r"(?P<file>[^\s:]+):(?P<line>\d+): (?P<text>.*)", re.DOTALL)


def check(folder: Path, name: str | None, *, as_json: bool) -> int:
    """Show all errors and warnings; return 1 when there are errors."""
    findings = _findings(folder, name)
    errors = sum(finding.severity == "error" for finding in findings)
    warnings = len(findings) - errors
    if as_json:
        shown = [dataclasses.asdict(finding) for finding in findings]
        output.as_json({"errors": errors, "warnings": warnings, "findings": shown})
    else:
        _report(findings, errors, warnings)
    return _FAILED if errors else 0


def _findings(folder: Path, name: str | None) -> list[Finding]:
    try:
        settings = read_settings(folder, name)
    except SettingsError as error:
        problems = [_problem("settings", problem.text, error.hint) for problem in error.problems]
        return [*problems, *lint_overlays(folder)]
    project = Project(folder, settings)
    found: list[Finding] = []
    try:
        list_files(project.files)
    except DeployError as error:
        found += _problems("project-files", error)
    try:
        rendered = render(project, beside=apps_beside(project))
        found += lint_units(rendered)
        remedy = "correct it, or accept what it says"
        warnings = [_problem("butane", line, remedy) for line in rendered.compiled.warnings]
        found += [dataclasses.replace(one, severity="warning") for one in warnings]
    except ButaneError as error:
        found += [*_problems("butane", error), *lint_overlays(folder)]
    except SettingsError as error:
        found += [_problem("settings", problem.text, error.hint) for problem in error.problems]
    except (CertError, DeployError) as error:
        found += _problems("machine", error)
    return found


def _problems(rule: str, error: DeployError | ButaneError | CertError) -> list[Finding]:
    return [_problem(rule, line, error.hint) for line in error.message.splitlines()]


def _problem(rule: str, text: str, remedy: str) -> Finding:
    found = _LOCATED.fullmatch(text)
    if found is None:
        return Finding("error", rule, "", 0, text, "", remedy)
    return Finding("error", rule, found["file"], int(found["line"]), found["text"], "", remedy)


def _report(findings: list[Finding], errors: int, warnings: int) -> None:
    for finding in findings:
        output.say(f"{finding.severity}: " + "\n  ".join(lines_of(finding)))
    if errors:
        output.fail(f"{output.count(errors, 'error')}, {output.count(warnings, 'warning')}", "")
    else:
        output.good(f"no errors, {output.count(warnings, 'warning')}")
