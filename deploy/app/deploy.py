"""Verb: deploy an app to its node; a deploy that fails is undone."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from deploy.app.change import change_told
from deploy.app.credentials import Credentials
from deploy.app.execution import Execution
from deploy.app.health import check
from deploy.app.plan.describe import summary
from deploy.app.plan.diff import generations
from deploy.app.plan.plan import Plan
from deploy.app.planner import Artifacts, check_material, load_artifacts, make_plan
from deploy.app.proxy import fetch_image, proxy_of
from deploy.app.telling import told_session
from deploy.app.undo import run_steps, undo
from deploy.console import output, progress
from deploy.errors import reason
from deploy.node import session
from deploy.node.command import Command
from deploy.node.journal import audit_failures
from deploy.node.lock import acquire_lock
from deploy.node.login import Login
from deploy.node.release import Manifest, release_id
from deploy.node.remote import Remote
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.receipt.make import Origin, make_receipt
from deploy.receipt.store import keep
from deploy.settings.model import Settings
from deploy.spec.render import render
from deploy.spec.units import refuse_errors
from deploy.workstation.git import author
from deploy.workstation.hooks import run_hook, run_hook_or_warn
from deploy.workstation.state import save_manifest


@dataclass(frozen=True, slots=True)
class DeployOptions:
    """Options of a deploy; `first` for the first release of an app, `wait_seconds` for its lock.

    `force` makes a release even where nothing differs. `what` names the deploy in the node's
    journal. Credentials in `reseal` are sealed even if the node has them.
    """

    first: bool = False
    force: bool = False
    what: str = "deploy"
    wait_seconds: int = 0
    reseal: frozenset[str] = frozenset()


def deploy(
    project: Project,
    options: DeployOptions,
    credentials: Credentials | None = None,
    *,
    login: Login | None = None,
) -> None:
    """Deploy the app. Pass `credentials` to reuse values that were typed in already.

    Raises:
        DeployError: when something fails; the node serves what it served before.
    """
    rendered = render(project)
    refuse_errors(rendered)
    with (
        load_artifacts(rendered, credentials, options.reseal) as artifacts,
        told_session(project, login) as remote,
    ):
        _deploy(remote, artifacts, options)


def _deploy(remote: Remote, artifacts: Artifacts, options: DeployOptions) -> None:
    project = artifacts.project
    plan, state = _final_plan(remote, artifacts, options)
    if not plan:
        _retire_leftover(remote, project.settings, plan)
        release = f" (release {plan.was})" if plan.was else ""
        output.good(f"nothing to do: {plan.app} is up to date{release}")
        return
    artifacts = artifacts.fitting(state)
    refuse_errors(artifacts.rendered, podman=state.podman)
    check_material(artifacts, state)
    if project.settings.tls == "proxy" and not state.proxy:
        start_proxy(remote, project, state.platform)
    for line in summary(plan):
        output.say(line)
    if plan.staged_update:
        output.warn(
            f"the node has an OS update staged ({plan.staged_update}) and may restart for it"
        )
    manifest = _manifest(artifacts, state)
    endpoints, switch = session.endpoints(project), project.settings.switch
    receipt = make_receipt(remote, project, manifest, Origin(options.what, state.release))
    what = options.what
    _carry_out(
        Execution(remote, project, endpoints, manifest, state, switch, what, artifacts, receipt),
        plan,
    )


def start_proxy(remote: Remote, project: Project, platform: str) -> None:
    """Deploy the proxy for the first time, on a node that has none."""
    proxy = proxy_of(project)
    output.say(f"{project.settings.app} is served by the node's proxy, which is not there yet")
    fetch_image(proxy, platform)
    with load_artifacts(render(proxy)) as artifacts:
        _deploy(remote, artifacts, DeployOptions(first=True, what="proxy-deploy"))


def _final_plan(
    remote: Remote, artifacts: Artifacts, options: DeployOptions
) -> tuple[Plan, NodeState]:
    """Plan; when there is something to do, take the lock and undo an unfinished deploy first."""

    def planned() -> tuple[Plan, NodeState]:
        return make_plan(remote, artifacts, first=options.first, force=options.force)

    plan, state = planned()
    if not plan:
        return plan, state
    project, seconds = artifacts.project, options.wait_seconds
    waited = acquire_lock(remote, project, options.what, wait_seconds=seconds)
    # While this one waited for the lock, the other deploy may have finished: plan again.
    if waited or plan.undo:
        plan, state = planned()
    if plan.undo:
        undo(remote, project, plan.undo)
        plan, state = planned()
    return plan, state


def _carry_out(execution: Execution, plan: Plan) -> None:
    folder, document = execution.project.folder, plan.document()
    with (
        change_told(execution),
        _hooks_run(folder, document | {"release": execution.release}),
        audit_failures(execution.remote, execution.audit_line),
    ):
        run_hook(folder, "before-deploy", json.dumps(document))
        manifest = run_steps(execution, plan.steps)
    save_manifest(folder, manifest.app, manifest.release, manifest.model_dump_json(indent=1))
    if execution.receipt:
        keep(execution.project, execution.receipt)
    output.good(f"{plan.app} serves release {manifest.release} at {execution.endpoints[0]}")
    for name in _names_without_certificate(execution):
        output.warn(
            f"{name} has no certificate yet: it must lead to the node. `fab cert-status` shows it, "
            "and `fab proxy-logs` has the authority's words"
        )


def _names_without_certificate(execution: Execution) -> Iterator[str]:
    """Find the names for which the proxy, which gets certificates itself, shows none.

    The first one was proven; the others must not keep an app from being served.
    """
    settings, first = execution.settings, execution.endpoints[0]
    if settings.tls != "proxy" or settings.cert_from != "node":
        return
    for name in settings.all_names:
        found = name == first.host or check(replace(first, host=name), "/").certificate
        if not found:
            yield name


@contextmanager
def _hooks_run(folder: Path, document: dict[str, object]) -> Iterator[None]:
    """Run the hook after-deploy or failed-deploy when the block ends."""
    try:
        yield
    except BaseException as error:
        run_hook_or_warn(folder, "failed-deploy", json.dumps(document | {"error": reason(error)}))
        raise
    run_hook_or_warn(folder, "after-deploy", json.dumps(document))


def _retire_leftover(remote: Remote, settings: Settings, plan: Plan) -> None:
    """Stop the old slot that is still running because an earlier deploy was interrupted."""
    if plan.leftover:
        slot = f"slot {plan.leftover}, which no longer serves"
        with progress.step(f"Drain and stop {slot}", f"{slot}, drained and stopped"):
            retired = Command("retire", (settings.app, str(settings.drain_seconds)))
            remote.checked(retired, f"stopping slot {plan.leftover}")


def _manifest(artifacts: Artifacts, state: NodeState) -> Manifest:
    now = datetime.now(UTC)
    made_by = author(artifacts.project.folder)
    desired = artifacts.desired
    return Manifest(
        release=release_id(now, secrets.token_hex(2), state.release),
        app=desired.app,
        image=desired.image.name,
        image_id=desired.image.id,
        certificate=desired.certificate,
        key=desired.key,
        units={unit.path: unit.sha256 for unit in desired.units},
        files=dict(desired.files),
        generations=generations(desired, state),
        by=made_by.who,
        commit=made_by.commit,
        dirty=made_by.dirty,
        at=now,
        proof=desired.proof,
    )
