"""Verb: go back to a release that the node keeps, gated like a deploy."""

import secrets
from datetime import UTC, datetime

from deploy.app.execute import Execution
from deploy.app.plan.history import rollback_target
from deploy.app.plan.steps import rollback_steps
from deploy.app.releases import kept_releases
from deploy.app.undo import run_steps, undo
from deploy.console import output
from deploy.node import session
from deploy.node.hold import hold
from deploy.node.journal import failures_audited
from deploy.node.probe import probe
from deploy.node.release import Manifest, release_id
from deploy.node.remote import Remote
from deploy.node.state import NodeState
from deploy.project import Project
from deploy.settings.model import Settings
from deploy.workstation.git import author
from deploy.workstation.state import keep_manifest


def rollback(project: Project, *, to: str, wait_seconds: int = 0) -> None:
    """Serve what a kept release was: image, units, files, credentials and certificate.

    It becomes a release of its own. BEFORE_SWITCH is of the release that is left, and does not run.

    Raises:
        DeployError: when there is no such release, or it does not prove itself; what served serves.
    """
    settings = project.settings
    with session.reached(project) as remote:
        hold(remote, project, "rollback", wait_seconds=wait_seconds)
        state = _ready(remote, project)
        serving = state.manifest.release if state.manifest else ""
        chosen = rollback_target(kept_releases(remote, settings.app), serving, to)
        output.say(f"{settings.app} on {settings.node_address}: {serving} -> {chosen.release}")
        manifest = _manifest(project, chosen, serving)
        endpoint = session.endpoint(project)
        execution = Execution(remote, project, endpoint, manifest, state, "rollback")
        with failures_audited(remote, execution.audit_line):
            steps = tuple(rollback_steps(settings.switch, state.slot, chosen.release))
            manifest = run_steps(execution, steps)
    keep_manifest(
        project.folder, manifest.app, manifest.release, manifest.model_dump_json(indent=1)
    )
    output.good(f"{settings.app} rolled back to {chosen.release} (recorded as {manifest.release})")


def _ready(remote: Remote, project: Project) -> NodeState:
    """Ask what the node holds; undo a deploy that did not end."""
    state = _state(remote, project.settings)
    if state.interrupted:
        undo(remote, project, state.interrupted.release)
        state = _state(remote, project.settings)
    return state


def _state(remote: Remote, settings: Settings) -> NodeState:
    return probe(remote, settings.app, paths=(), credentials={})


def _manifest(project: Project, chosen: Manifest, serving: str) -> Manifest:
    """Make the manifest of a new release that is all of the chosen one."""
    now = datetime.now(UTC)
    release = release_id(now, secrets.token_hex(2), serving)
    by = author(project.folder).who
    own = {"release": release, "by": by, "at": now, "seconds": {}, "health": ""}
    return chosen.model_copy(update=own)
