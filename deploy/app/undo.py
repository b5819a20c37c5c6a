"""Run the steps of a deploy or a rollback, and undo them when one fails."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from deploy.app.execute import carry_out
from deploy.app.execution import Execution
from deploy.app.health import wait_until_healthy
from deploy.app.plan.steps import Step
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.command import Command
from deploy.node.journal import audit_line, write_audit
from deploy.node.release import Manifest, proof_of
from deploy.node.remote import Remote
from deploy.notify.plan.trace import Span
from deploy.project import Project

_LOG_LINES = "20"
_HEALTH_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Undone:
    """What serves after a deploy that failed; `restored` when that is known to be well."""

    text: str
    restored: bool = True


class UndoneError(DeployError):
    """A deploy failed: why, and what serves now."""

    def __init__(self, error: DeployError, logs: str, undone: Undone) -> None:
        super().__init__(f"{error.message}{logs}\n{undone.text}", error.hint)
        self.why = error.message
        self.undone = undone


def run_steps(execution: Execution, steps: Sequence[Step]) -> Manifest:
    """Carry out steps in order; return the manifest with the seconds of each.

    Whatever ends them early is undone: the release before serves again.

    Raises:
        UndoneError: the step's, with the app's last log lines and what serves now.
        BaseException: whatever else ended a step, such as Ctrl-C, after the undo.
    """
    seconds: dict[str, float] = {}
    started = False
    try:
        for step in steps:
            started = started or step.kind == "start"
            if step.kind == "finish":
                proven = {"seconds": dict(seconds), "health": "healthy"}
                manifest = execution.manifest.model_copy(update=proven)
                execution = replace(execution, manifest=manifest)
            name, began = f"{step.kind} {step.credential}".rstrip(), time.monotonic()
            with execution.span(name):
                carry_out(execution, step)
            seconds[name] = round(time.monotonic() - began, 3)
    except DeployError as error:
        # A release that was not started has no log.
        logs = _logs(execution) if started else ""
        undone = _undo_noted(execution)
        raise UndoneError(error, logs, undone) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            output.say("interrupted")
        output.say(_undo_noted(execution).text)
        raise
    return execution.manifest


def undo(remote: Remote, project: Project, unfinished: str) -> None:
    """Undo an unfinished deploy, and record that in the node's journal.

    Raises:
        DeployError: when the node fails to.
    """
    deploy = f"unfinished deploy {unfinished}"
    with progress.step(f"Undo {deploy}", f"{deploy} undone"):
        remote.checked(Command("undo", (project.settings.app,)), f"undoing {unfinished}")
    line = audit_line(project, "undo", "unfinished deploy undone")
    write_audit(remote, line.model_copy(update={"release": unfinished}))


def _undo_noted(execution: Execution) -> Undone:
    """Undo a deploy, as a span that has failed when what served before is not restored."""
    began = time.time_ns()
    undone = _undo(execution)
    problem = "" if undone.restored else undone.text
    execution.spans.append(Span("undo", began, time.time_ns(), problem))
    return undone


def _undo(execution: Execution) -> Undone:
    """Undo a deploy that failed; describe what serves now."""
    before = execution.before
    try:
        result = execution.remote.run(Command("undo", (execution.app,)))
    except DeployError as error:
        return Undone(f"{error.message}: the next `fab deploy` undoes this one", restored=False)
    if result.code:
        text = f"undo failed: {result.error_text}; the next `fab deploy` tries again"
        return Undone(text, restored=False)
    serves, _, changed = result.stdout.strip().partition("\n")
    if changed:
        output.warn(changed)
    if serves == execution.release:
        return Undone(f"release {serves} serves: it is healthy and recorded")
    if before.manifest is None:
        text = f"{execution.app} is as it was" + ("" if before.slot else ": nothing deployed")
        return Undone(text)
    if serves not in {"", before.manifest.release}:
        return Undone(f"release {serves} serves: another deploy ran meanwhile")
    return _check_restored(execution, before.manifest)


def _check_restored(execution: Execution, before: Manifest) -> Undone:
    release, proof = before.release, before.proof or proof_of(execution.settings)
    try:
        endpoints = session.endpoints(execution.project, proof)
        wait_until_healthy(
            endpoints, proof.path, before.certificate, timeout_seconds=_HEALTH_SECONDS
        )
    except DeployError as error:
        text = f"release {release} was restored, but is not healthy: {error.message}"
        return Undone(text, restored=False)
    return Undone(f"release {release} serves again, proven over HTTPS")


def _logs(execution: Execution) -> str:
    app, release = execution.app, execution.release
    try:
        result = execution.remote.run(Command("logs", (app, _LOG_LINES, release)))
    except DeployError:
        return ""
    lines = result.stdout.strip().splitlines()
    shown = "\n".join(f"  | {line}" for line in lines)
    kept = f"it is kept, stopped: `fab logs --release {release}`"
    return f"\nlast lines of release {release} ({kept}):\n{shown}" if lines else ""
