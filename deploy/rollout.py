"""Verb: bring an app on its node to what is wanted, or leave what was there."""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from deploy import node, report
from deploy.author import author
from deploy.credentials import Credentials
from deploy.delivery import Delivery
from deploy.errors import DeployError
from deploy.goal import Goal, Planned, ask_state, check_material, goal, make_plan
from deploy.hold import hold
from deploy.hooks import run_hook, tell_hook
from deploy.journal import failures_audited
from deploy.kept import keep_release
from deploy.machine_files import render
from deploy.plan import command
from deploy.plan.addresses import other
from deploy.plan.deployment import Deployment
from deploy.plan.generation import generations
from deploy.plan.prose import summary
from deploy.plan.release import Manifest, release_id
from deploy.plan.state import NodeState
from deploy.project import Project
from deploy.put_back import put_back, retiring_told, undo
from deploy.remote.remote import Remote
from deploy.settings.model import Settings
from deploy.switching import Switching
from deploy.unit_check import refuse_traps


@dataclass(frozen=True, slots=True)
class Order:
    """How a deploy is asked for: the first one, what it is called, how long to wait for others.

    `anew` makes a release even where nothing differs. Credentials in `reseal` are sealed anew,
    whatever the node holds.
    """

    first: bool = False
    anew: bool = False
    what: str = "deploy"
    wait_seconds: int = 0
    reseal: frozenset[str] = frozenset()


def rollout(project: Project, order: Order, credentials: Credentials | None = None) -> None:
    """Deploy the app; values of credentials that were asked for already are not asked again.

    Raises:
        DeployError: when something fails; the node serves what it served before.
    """
    rendered = render(project)
    refuse_traps(rendered)
    with goal(rendered, credentials, order.reseal) as wanted:
        _rollout(wanted, order)


def _rollout(wanted: Goal, order: Order) -> None:
    settings = wanted.project.settings
    with node.reached(wanted.project) as remote:
        planned = _ready(remote, wanted, order)
        if not planned.plan:
            _retire_leftover(remote, settings, planned.state)
            release = f" (release {planned.plan.was})" if planned.plan.was else ""
            report.good(f"nothing to do: {settings.app} serves what is wanted{release}")
            return
        refuse_traps(wanted.rendered, podman=planned.state.podman)
        check_material(wanted, planned.state)
        _show(planned.plan)
        _carry_out(wanted.project, _delivery(remote, wanted, planned.state, order), planned)


def _ready(remote: Remote, wanted: Goal, order: Order) -> Planned:
    """Plan, and hold the lock when there is something to do; what was half done is put back."""
    planned = make_plan(remote, wanted, first=order.first, anew=order.anew)
    if not planned.plan:
        return planned
    waited = hold(remote, wanted.project, order.what, wait_seconds=order.wait_seconds)
    # Whoever was at it may have ended in the meantime: only what is left is undone.
    if waited or planned.plan.undo:
        planned = make_plan(remote, wanted, first=order.first, anew=order.anew)
    if planned.plan.undo:
        undo(remote, wanted.project, planned.plan.undo)
        planned = make_plan(remote, wanted, first=order.first, anew=order.anew)
    return planned


def _carry_out(project: Project, delivery: Delivery, planned: Planned) -> None:
    plan, switching = planned.plan, delivery.switching
    with (
        _hooks_told(project, plan, switching.release),
        failures_audited(switching.remote, switching.audit_line()),
    ):
        run_hook(project, "before-deploy", plan.model_dump_json())
        with put_back(switching, planned.state) as begun:
            manifest = _steps(delivery, plan, begun)
    keep_release(project, manifest)
    report.good(f"{plan.app} serves release {manifest.release} at {switching.endpoint}")


def _steps(delivery: Delivery, plan: Deployment, begun: list[str]) -> Manifest:
    """Do the plan's steps in order; give the manifest with what they took and proved."""
    manifest, seconds = delivery.switching.manifest, dict[str, float]()
    for step in plan.steps:
        begun.append(step.kind)
        if step.kind == "finish":
            # Nothing gets here that was not proven.
            manifest = manifest.proven(seconds)
            delivery = replace(delivery, switching=replace(delivery.switching, manifest=manifest))
        began = time.monotonic()
        with retiring_told(step.kind):
            delivery.carry_out(step)
        seconds[f"{step.kind} {step.credential}".rstrip()] = round(time.monotonic() - began, 3)
    return manifest


@contextmanager
def _hooks_told(project: Project, plan: Deployment, release: str) -> Iterator[None]:
    told = json.loads(plan.model_dump_json()) | {"release": release}
    try:
        yield
    except BaseException as error:
        why = error.message if isinstance(error, DeployError) else type(error).__name__
        tell_hook(project, "failed-deploy", json.dumps(told | {"error": why}))
        raise
    tell_hook(project, "after-deploy", json.dumps(told))


def _show(plan: Deployment) -> None:
    for line in summary(plan):
        report.say(line)
    if plan.staged_update:
        report.warn(
            f"the node has an OS update staged ({plan.staged_update}) and may restart for it"
        )


def _delivery(remote: Remote, wanted: Goal, state: NodeState, order: Order) -> Delivery:
    settings = wanted.project.settings
    return Delivery(
        switching=Switching(
            remote=remote,
            endpoint=node.endpoint(wanted.project),
            settings=settings,
            manifest=_manifest(wanted, state),
            previous=state.manifest.release if state.manifest else "",
            slot=other(state.slot),
            what=order.what,
        ),
        target=node.target(wanted.project),
        wanted=wanted.wanted,
        export=wanted.export,
        pair=wanted.pair,
        credentials=wanted.credentials,
        files_folder=wanted.project.files,
        state=state,
        look=lambda: ask_state(remote, wanted),
    )


def _retire_leftover(remote: Remote, settings: Settings, state: NodeState) -> None:
    """Stop the slot that a deploy left running when its connection was lost at the very end."""
    if state.leftover:
        with report.step(f"slot {state.leftover}, which serves no longer, drained and stopped"):
            result = remote.run(command.retire(settings.app, settings.drain_seconds))
            if result.code:
                raise DeployError(f"retire failed on the node: {result.stderr.strip()}")


def _manifest(goal: Goal, state: NodeState) -> Manifest:
    now = datetime.now(UTC)
    made_by = author(goal.project.folder)
    wanted = goal.wanted
    serving = state.manifest.release if state.manifest else ""
    return Manifest(
        release=release_id(now, secrets.token_hex(2), serving),
        app=wanted.app,
        image=wanted.image.name,
        image_id=wanted.image.id,
        certificate=wanted.certificate,
        key=wanted.key,
        units={unit.path: unit.sha256 for unit in wanted.units},
        files=dict(wanted.files),
        generations=generations(wanted, state),
        by=made_by.who,
        commit=made_by.commit,
        dirty=made_by.dirty,
        at=now,
    )
