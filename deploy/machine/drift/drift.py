"""Verb: compare a node with what it was made as and with its release."""

from deploy.console import output
from deploy.machine.drift.inspect import ask_mark, inspect
from deploy.machine.drift.plan.finding import Finding
from deploy.machine.drift.plan.machine_drift import machine_drift
from deploy.machine.drift.plan.release_drift import release_drift
from deploy.node import session
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.spec import Spec, spec_of_mark, spec_of_settings

_DRIFT = 2
_COLUMNS = ("what", "where", "expected", "found", "since", "put right by")


def drift(project: Project, *, as_json: bool) -> int:
    """Show where the node differs; return 2 when it does, else 0.

    Raises:
        DeployError: when the node cannot be inspected.
    """
    settings = project.settings
    with session.open_session(project) as remote:
        mark = ask_mark(remote)
        spec = _spec(project, mark)
        found = inspect(remote, settings.app, spec.machine)
    findings = (*machine_drift(spec.machine, found), *release_drift(settings.app, found))
    if as_json:
        output.as_json({
            "app": settings.app,
            "node": settings.node_address,
            "spec": mark,
            "compared_with_spec": spec.mark,
            "release": found.manifest.release if found.manifest else None,
            "findings": [one.model_dump(mode="json") for one in findings],
        })  # fmt: skip
    else:
        _show(settings, findings)
    return _DRIFT if findings else 0


def _spec(project: Project, mark: str) -> Spec:
    kept = spec_of_mark(project, mark)
    if kept is None:
        output.warn(
            f"the spec that the node was made of ({mark[:12] or 'it does not say which'}) is not "
            "kept here: compared with the one that the settings make now"
        )
    return kept or spec_of_settings(project)


def _show(settings: Settings, findings: tuple[Finding, ...]) -> None:
    if not findings:
        output.good(f"{settings.node_address} is as its spec and the release of {settings.app} say")
        return
    rows = [
        (one.what, one.subject, one.expected, one.found, _when(one), one.remedy) for one in findings
    ]
    output.table(f"{len(rows)} differences on {settings.node_address}", _COLUMNS, rows)


def _when(one: Finding) -> str:
    return f"{one.since:%Y-%m-%d %H:%M:%S}" if one.since else ""
