"""Run the steps of a deploy or a rollback; put back what served when one fails."""

import time
from collections.abc import Sequence
from dataclasses import replace

from deploy.app import act
from deploy.app.execute import Execution, carry_out
from deploy.app.health import wait_until_healthy
from deploy.app.plan.steps import Step
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node.journal import audit_line, write_audit
from deploy.node.release import Manifest
from deploy.node.remote import Remote
from deploy.project import Project

_LOG_LINES = 20
_PROOF_SECONDS = 60


def run_steps(
    execution: Execution, steps: Sequence[Step], *, proof_seconds: float = _PROOF_SECONDS
) -> Manifest:
    """Carry out steps in order; give the manifest with what they took and proved.

    Whatever ends them early, the node gets back what it served before.

    Raises:
        DeployError: a step's own, with the app's last log lines and what serves now.
        BaseException: whatever else ended a step, such as Ctrl-C, after putting back.
    """
    seconds: dict[str, float] = {}
    started = False
    try:
        for step in steps:
            started = started or step.kind == "start"
            if step.kind == "finish":
                # Nothing gets here that was not proven.
                execution = replace(execution, manifest=execution.manifest.proven(seconds))
            began = time.monotonic()
            _carry_out(execution, step)
            seconds[f"{step.kind} {step.credential}".rstrip()] = round(time.monotonic() - began, 3)
    except DeployError as error:
        # Before the new release is started, no log says what went wrong.
        logs = _logs(execution) if started else ""
        served = _put_back(execution, proof_seconds)
        raise DeployError(f"{error.message}{logs}\n{served}", error.hint) from error
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            output.say("interrupted")
        output.say(_put_back(execution, proof_seconds))
        raise
    return execution.manifest


def undo(remote: Remote, project: Project, unfinished: str) -> None:
    """Undo what an unfinished deploy changed, and record that.

    Raises:
        DeployError: when the node cannot.
    """
    what = f"what the unfinished deploy {unfinished} changed"
    with progress.step(f"Undo {what}", f"put back {what}"):
        remote.checked(act.undo(project.settings.app), f"undoing {unfinished}")
    line = audit_line(project, "undo", "a deploy that did not end was put back")
    write_audit(remote, line.model_copy(update={"release": unfinished}))


def _carry_out(execution: Execution, step: Step) -> None:
    """Carry out a step; an old slot that does not stop yet is no failure of what serves."""
    try:
        carry_out(execution, step)
    except DeployError as error:
        if step.kind != "retire":
            raise
        output.warn(
            f"{error.message}; the release is recorded and serves, and the old slot stops by "
            "itself or with the next `fab deploy`"
        )


def _put_back(execution: Execution, proof_seconds: float) -> str:
    before = execution.before
    try:
        result = execution.remote.run(act.undo(execution.app))
    except DeployError as error:
        return f"{error.message}: the next `fab deploy` puts back what this one changed"
    if result.code:
        return f"putting back failed: {result.complaint}; the next `fab deploy` tries again"
    serves = result.stdout.strip()
    if serves == execution.release:
        return f"release {serves} serves: it had been proven and recorded"
    if before.manifest is None:
        return f"{execution.app} is as it was" + ("" if before.slot else ": nothing deployed")
    if serves not in {"", before.manifest.release}:
        return f"release {serves} serves: another deploy ran meanwhile"
    return _proof(execution, before.manifest, proof_seconds)


def _proof(execution: Execution, before: Manifest, proof_seconds: float) -> str:
    path, release = execution.settings.health_path, before.release
    try:
        wait_until_healthy(
            execution.endpoint, path, before.certificate, timeout_seconds=proof_seconds
        )
    except DeployError as error:
        return f"release {release} was put back, but does not answer: {error.message}"
    return f"release {release} serves again, proven over HTTPS"


def _logs(execution: Execution) -> str:
    app, release = execution.app, execution.release
    try:
        result = execution.remote.run(act.logs(app, _LOG_LINES, release))
    except DeployError:
        return ""
    lines = result.stdout.strip().splitlines()
    shown = "\n".join(f"  | {line}" for line in lines)
    kept = f"it is kept, stopped: `fab logs --release {release}`"
    return f"\nlast lines of release {release} ({kept}):\n{shown}" if lines else ""
