"""Verb: bring a running machine in line with its spec, and never lock the operator out."""

import secrets
from dataclasses import dataclass

from deploy.console import output, progress, prompt
from deploy.errors import DeployError
from deploy.machine.drift import act
from deploy.machine.drift.inspect import ask_mark, inspect
from deploy.machine.drift.plan.convergence import Convergence, convergence, differences, payload
from deploy.machine.drift.plan.convergence_prose import lines
from deploy.node import session
from deploy.node.archive import pack
from deploy.node.journal import MACHINE, audit_failures, machine_line
from deploy.node.lock import acquire_lock
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.spec.spec import Spec, spec_of_mark, spec_of_settings
from deploy.workstation.hooks import run_hook, run_hook_or_warn
from deploy.workstation.state import save_spec

_LEFT = 2
GATE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Order:
    """How a convergence is asked for.

    `gate_seconds` is how long the node waits for a new login before it puts everything back.
    """

    may_change: bool = False
    wait_seconds: int = 0
    gate_seconds: int = GATE_SECONDS


@dataclass(frozen=True, slots=True)
class _Work:
    project: Project
    target: Spec
    order: Order


def converge(project: Project, order: Order) -> int:
    """Show what differs from the spec that the settings make, ask, and apply it.

    Returns 2 when something is left that only other means put right, else 0.

    Raises:
        DeployError: when the node refuses; it is as it was.
    """
    work = _Work(project, spec_of_settings(project), order)
    with session.open_session(project) as remote:
        plan = _plan(remote, work)
        for line in lines(plan):
            output.say(line)
        if plan:
            _ask(order)
            _hold(remote, work, plan)
            save_spec(project.folder, work.target.mark, work.target.ignition)
            _carry_out(remote, work, plan)
            plan = _plan(remote, work)
            _conclude(plan)
    return _LEFT if plan.left or plan.differences else 0


def _plan(remote: Remote, work: _Work) -> Convergence:
    mark, target = ask_mark(remote), work.target
    kept = spec_of_mark(work.project, mark)
    born = kept.machine if kept else None
    machines = (target.machine, born) if born else (target.machine,)
    found = inspect(remote, work.project.settings.app, *machines)
    differing = differences(target.machine, born, found)
    return convergence(
        work.project.settings.node_address, (mark, target.mark), target.machine, differing
    )


def _ask(order: Order) -> None:
    if order.may_change:
        return
    if not prompt.has_terminal():
        raise DeployError("nobody is there to ask", "look at the plan, then run it with --yes")
    if not prompt.confirm("apply this?"):
        raise DeployError("nothing was changed", "")


def _hold(remote: Remote, work: _Work, plan: Convergence) -> None:
    """Keep others off the machine and the app; a plan made before a wait may be an old one."""
    seconds = work.order.wait_seconds
    waits = [
        acquire_lock(remote, work.project, "converge", app=name, wait_seconds=seconds)
        for name in (MACHINE, work.project.settings.app)
    ]
    if any(waits) and _plan(remote, work) != plan:
        raise DeployError(
            "the machine was changed by somebody else in the meantime",
            "look at the plan anew with `fab converge`",
        )


def _carry_out(remote: Remote, work: _Work, plan: Convergence) -> None:
    told = plan.model_dump_json()
    detail = f"spec {plan.becomes[:12]}: {'; '.join(str(act) for act in plan.acts)}"
    line = machine_line(work.project.folder, "converge", detail)
    try:
        with audit_failures(remote, line):
            run_hook(work.project.folder, "before-converge", told)
            _apply(remote, work, plan, line.to_json())
    except BaseException:
        run_hook_or_warn(work.project.folder, "failed-converge", told)
        raise
    run_hook_or_warn(work.project.folder, "after-converge", told)


def _apply(remote: Remote, work: _Work, plan: Convergence, line: str) -> None:
    name = secrets.token_hex(8)
    with progress.step(f"{len(plan.acts)} acts"):
        archive = pack(payload(plan, work.target.machine))
        remote.checked(
            act.converge(name, work.order.gate_seconds, archive), "applying the machine spec"
        )
    with progress.step("a new login, which proves that one can still get in"):
        try:
            with session.open_session(work.project) as fresh:
                fresh.checked(act.keep(name, line), "keeping the changes")
        except DeployError as error:
            served = _put_back(remote, name, work.order)
            raise DeployError(f"{error.message}\n{served}", error.hint) from error
        except BaseException:
            output.say(_put_back(remote, name, work.order))
            raise


def _put_back(remote: Remote, name: str, order: Order) -> str:
    try:
        remote.checked(act.put_back(name), "undoing the changes")
    except DeployError as error:
        return f"{error.message}; the node puts everything back in {order.gate_seconds} s"
    return "everything on the node was put back"


def _conclude(after: Convergence) -> None:
    for one in after.differences:
        output.warn(f"{one.what} {one.subject} is still {one.found}, not {one.expected}")
    but = f", but for {len(after.left)} differences named above" if after.left else ""
    output.good(f"{after.node} is as its spec says{but}")
