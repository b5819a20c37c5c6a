"""Verb: bring an app on its node to what is wanted, or leave what was there."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.app import act
from deploy.app.credentials import Credentials
from deploy.app.execute import Execution
from deploy.app.plan.changes import generations
from deploy.app.plan.describe import summary
from deploy.app.plan.plan import Plan
from deploy.app.planner import DesiredState, check_material, load_desired, make_plan
from deploy.app.undo import run_steps, undo
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.connection import Login
from deploy.node.hold import hold
from deploy.node.journal import failures_audited
from deploy.node.release import Manifest, release_id
from deploy.node.remote import Remote
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.spec.render import render
from deploy.spec.units import refuse_errors
from deploy.workstation.git import author
from deploy.workstation.hooks import run_hook, tell_hook
from deploy.workstation.state import keep_manifest


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """How to deploy: for the first time, how many seconds to wait for the lock.

    `force` makes a release even where nothing differs. `what` names the deploy in the node's
    journal. Credentials in `reseal` are sealed again, whatever the node holds.
    """

    first: bool = False
    force: bool = False
    what: str = "deploy"
    wait_seconds: int = 0
    reseal: frozenset[str] = frozenset()


def rollout(
    project: Project,
    options: DeployOptions,
    credentials: Credentials | None = None,
    *,
    login: Login | None = None,
) -> None:
    """Deploy the app; values of credentials that were asked for already are not asked again.

    Raises:
        DeployError: when something fails; the node serves what it served before.
    """
    rendered = render(project)
    refuse_errors(rendered)
    with (
        load_desired(rendered, credentials, options.reseal) as desired,
        session.reached(project, login) as remote,
    ):
        _rollout(remote, desired, options)


def _rollout(remote: Remote, desired: DesiredState, options: DeployOptions) -> None:
    project = desired.project
    plan, state = _ready(remote, desired, options)
    if not plan:
        _retire_leftover(remote, project.settings, plan)
        release = f" (release {plan.was})" if plan.was else ""
        output.good(f"nothing to do: {plan.app} serves what is wanted{release}")
        return
    refuse_errors(desired.rendered, podman=state.podman)
    check_material(desired, state)
    _show(plan)
    manifest = _manifest(desired, state)
    endpoint = session.endpoint(project)
    _carry_out(Execution(remote, project, endpoint, manifest, state, options.what, desired), plan)


def _ready(remote: Remote, desired: DesiredState, options: DeployOptions) -> tuple[Plan, NodeState]:
    """Plan, and take the lock when there is something to do; undo what did not end."""

    def planned() -> tuple[Plan, NodeState]:
        return make_plan(remote, desired, first=options.first, force=options.force)

    plan, state = planned()
    if not plan:
        return plan, state
    project, seconds = desired.project, options.wait_seconds
    waited = hold(remote, project, options.what, wait_seconds=seconds)
    # The deploy that was under way may have ended in the meantime: only what is left is undone.
    if waited or plan.undo:
        plan, state = planned()
    if plan.undo:
        undo(remote, project, plan.undo)
        plan, state = planned()
    return plan, state


def _carry_out(execution: Execution, plan: Plan) -> None:
    folder, document = execution.project.folder, plan.document()
    with (
        _hooks_run(folder, document | {"release": execution.release}),
        failures_audited(execution.remote, execution.audit_line),
    ):
        run_hook(folder, "before-deploy", json.dumps(document))
        manifest = run_steps(execution, plan.steps)
    keep_manifest(folder, manifest.app, manifest.release, manifest.model_dump_json(indent=1))
    output.good(f"{plan.app} serves release {manifest.release} at {execution.endpoint}")


@contextmanager
def _hooks_run(folder: Path, document: dict[str, object]) -> Iterator[None]:
    """Run the hook for a deploy that is done or has failed."""
    try:
        yield
    except BaseException as error:
        why = error.message if isinstance(error, DeployError) else type(error).__name__
        tell_hook(folder, "failed-deploy", json.dumps(document | {"error": why}))
        raise
    tell_hook(folder, "after-deploy", json.dumps(document))


def _show(plan: Plan) -> None:
    for line in summary(plan):
        output.say(line)
    if plan.staged_update:
        output.warn(
            f"the node has an OS update staged ({plan.staged_update}) and may restart for it"
        )


def _retire_leftover(remote: Remote, settings: Settings, plan: Plan) -> None:
    """Stop the slot that a deploy left running when its connection was lost at the very end."""
    if plan.leftover:
        slot = f"slot {plan.leftover}, which serves no longer"
        with progress.step(f"Drain and stop {slot}", f"{slot}, drained and stopped"):
            retired = act.retire(settings.app, settings.drain_seconds)
            remote.checked(retired, f"stopping slot {plan.leftover}")


def _manifest(desired: DesiredState, state: NodeState) -> Manifest:
    now = datetime.now(UTC)
    made_by = author(desired.project.folder)
    wanted = desired.wanted
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
