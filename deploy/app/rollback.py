"""Verb: roll back to a release that the node keeps, with the same checks as a deploy."""

import secrets
from datetime import UTC, datetime

from deploy.app.change import change_told
from deploy.app.execution import Execution
from deploy.app.plan.desired_state import Switch
from deploy.app.plan.history import rollback_target
from deploy.app.plan.steps import rollback_steps
from deploy.app.releases import kept_releases
from deploy.app.telling import told_session
from deploy.app.undo import run_steps, undo
from deploy.console import output
from deploy.node import session
from deploy.node.journal import audit_failures
from deploy.node.lock import acquire_lock
from deploy.node.login import Login
from deploy.node.release import Manifest, proof_of, release_id
from deploy.node.remote import Remote
from deploy.node.state import NodeState, probe
from deploy.project import Project
from deploy.receipt.make import Origin, make_receipt
from deploy.receipt.store import keep
from deploy.workstation.git import author
from deploy.workstation.state import save_manifest


def rollback(
    project: Project, *, to: str, wait_seconds: int = 0, login: Login | None = None
) -> None:
    """Roll back to a kept release: its image, units, files, credentials and certificate.

    The copy is a new release. BEFORE_SWITCH belongs to the release that is left, and does not run.

    Raises:
        DeployError: when there is no such release or it is not healthy; what served still serves.
    """
    settings = project.settings
    with told_session(project, login) as remote:
        acquire_lock(remote, project, "rollback", wait_seconds=wait_seconds)
        state = _ready(remote, project)
        target = rollback_target(kept_releases(remote, settings.app), state.release, to)
        change = f"{state.release} -> {target.release}"
        output.say(f"{settings.app} on {settings.node_address}: {change}")
        manifest = _manifest(project, target, state.release)
        endpoints = session.endpoints(project, manifest.proof)
        switch = _switch(project, state.manifest, manifest)
        origin = Origin("rollback", state.release, target.release)
        receipt = make_receipt(remote, project, manifest, origin)
        execution = Execution(
            remote, project, endpoints, manifest, state, switch, "rollback", receipt=receipt
        )
        with change_told(execution), audit_failures(remote, execution.audit_line):
            tls = manifest.proof.tls if manifest.proof else settings.tls
            how = Switch(switch, tls=tls)
            steps = tuple(rollback_steps(how, state.slot, target.release))
            manifest = run_steps(execution, steps)
    save_manifest(
        project.folder, manifest.app, manifest.release, manifest.model_dump_json(indent=1)
    )
    if receipt:
        keep(project, receipt)
    output.good(f"{settings.app} rolled back to {target.release} (recorded as {manifest.release})")


def _ready(remote: Remote, project: Project) -> NodeState:
    """Probe the node, and undo an unfinished deploy."""
    state = probe(remote, project.settings.app)
    if state.interrupted:
        undo(remote, project, state.interrupted.release)
        state = probe(remote, project.settings.app)
    return state


def _switch(project: Project, *releases: Manifest | None) -> str:
    """Choose how the last release takes over; one that may not run twice runs beside no other."""
    usual = project.settings.switch
    own = [one.proof.switch if one and one.proof else usual for one in releases]
    return "restart" if "restart" in own else own[-1]


def _manifest(project: Project, target: Manifest, serving: str) -> Manifest:
    """Make the manifest of a new release that is a copy of the target."""
    now = datetime.now(UTC)
    release = release_id(now, secrets.token_hex(2), serving)
    by = author(project.folder).who
    own = {"release": release, "by": by, "at": now, "seconds": {}, "health": ""}
    # Releases of an older corefab have no proof of their own.
    own["proof"] = target.proof or proof_of(project.settings)
    return target.model_copy(update=own)
