"""Verb: bring a running machine in line with its spec, without locking the operator out."""

import secrets
from dataclasses import dataclass

from deploy.console import output, progress, prompt
from deploy.errors import DeployError
from deploy.machine.drift import act
from deploy.machine.drift.inspect import ask_spec_hash, inspect
from deploy.machine.drift.plan.convergence import Convergence, convergence, describe, payload
from deploy.machine.drift.plan.machine_drift import differences
from deploy.node import session
from deploy.node.file import pack
from deploy.node.journal import MACHINE, audit_failures, audit_line
from deploy.node.lock import acquire_lock
from deploy.node.login import Login
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.spec.spec import Spec, spec_from_settings, spec_from_state
from deploy.workstation.hooks import run_hook, run_hook_or_warn
from deploy.workstation.state import save_spec

_LEFT = 2
_NOT_DONE = "not done: "
GATE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ConvergeOptions:
    """Options of `fab converge`.

    `gate_seconds` is how long the node waits for a new login before it undoes everything.
    """

    may_change: bool = False
    wait_seconds: int = 0
    gate_seconds: int = GATE_SECONDS


@dataclass(frozen=True, slots=True)
class _Work:
    project: Project
    target: Spec
    options: ConvergeOptions


def converge(project: Project, options: ConvergeOptions, login: Login | None = None) -> int:
    """Show what differs from the spec of the settings, ask, and apply it.

    Returns 2 when differences remain that this command cannot fix, else 0.

    Raises:
        DeployError: when it fails; the node is as it was before.
    """
    work = _Work(project, spec_from_settings(project), options)
    with session.open_session(project, login) as remote:
        plan = _plan(remote, work)
        for line in describe(plan):
            output.say(line)
        if plan:
            _confirm(options)
            _lock(remote, work, plan)
            save_spec(project.folder, work.target.sha256, work.target.ignition)
            _carry_out(remote, work, plan)
            plan = _plan(remote, work)
            _report(plan)
    return _LEFT if plan.left or plan.differences else 0


def _plan(remote: Remote, work: _Work) -> Convergence:
    settings, target = work.project.settings, work.target
    sha256 = ask_spec_hash(remote)
    kept = spec_from_state(work.project, sha256)
    old = kept.machine if kept else None
    machines = (target.machine, old) if old else (target.machine,)
    found = differences(target.machine, old, inspect(remote, settings.app, *machines))
    return convergence(settings.node_address, (sha256, target.sha256), target.machine, found)


def _confirm(options: ConvergeOptions) -> None:
    if options.may_change:
        return
    if not prompt.has_terminal():
        raise DeployError("not a terminal", "review the plan, then rerun with --yes")
    if not prompt.confirm("Apply this?"):
        raise DeployError("nothing was changed", "")


def _lock(remote: Remote, work: _Work, plan: Convergence) -> None:
    """Lock the machine and the app; after a wait, check that the plan still holds."""
    seconds = work.options.wait_seconds
    waits = [
        acquire_lock(remote, work.project, "converge", app=name, wait_seconds=seconds)
        for name in (MACHINE, work.project.settings.app)
    ]
    if any(waits) and _plan(remote, work) != plan:
        raise DeployError(
            "the machine changed while this command waited for the lock",
            "run `fab converge` again and review the new plan",
        )


def _carry_out(remote: Remote, work: _Work, plan: Convergence) -> None:
    document = plan.model_dump_json()
    detail = f"spec {plan.becomes[:12]}: {'; '.join(str(act) for act in plan.acts)}"
    line = audit_line(work.project, "converge", detail, app=MACHINE)
    try:
        with audit_failures(remote, line):
            run_hook(work.project.folder, "before-converge", document)
            _apply(remote, work, plan, line.to_json())
    except BaseException:
        run_hook_or_warn(work.project.folder, "failed-converge", document)
        raise
    run_hook_or_warn(work.project.folder, "after-converge", document)


def _apply(remote: Remote, work: _Work, plan: Convergence, line: str) -> None:
    name = secrets.token_hex(8)
    with progress.step("Apply the machine spec", "machine spec applied"):
        archive = pack(payload(plan, work.target.machine))
        said = remote.checked(
            act.converge(name, work.options.gate_seconds, archive), "applying the machine spec"
        )
    for refused in said.splitlines():
        if refused.startswith(_NOT_DONE):
            output.warn(refused)
    with progress.step("Log in again", "a new login works"):
        try:
            with session.open_session(work.project) as fresh:
                fresh.checked(act.keep(name, line), "keeping the changes")
        except DeployError as error:
            outcome = _undo(remote, name, work.options)
            raise DeployError(f"{error.message}\n{outcome}", error.hint) from error
        except BaseException:
            output.say(_undo(remote, name, work.options))
            raise


def _undo(remote: Remote, name: str, options: ConvergeOptions) -> str:
    try:
        remote.checked(act.put_back(name), "undoing the changes")
    except DeployError as error:
        return f"{error.message}; the node undoes them itself within {options.gate_seconds} s"
    return "all changes on the node were undone"


def _report(after: Convergence) -> None:
    for one in after.differences:
        output.warn(f"{one.what} {one.subject} is still {one.found}, not {one.expected}")
    rest = f"; {len(after.left)} listed above need other commands" if after.left else ""
    output.good(f"{after.node} converged to its machine spec{rest}")
