"""Verb: go back to a release that the node keeps, gated like a deploy."""

import secrets
import time
from dataclasses import replace
from datetime import UTC, datetime

from deploy import node, report
from deploy.author import author
from deploy.hold import hold
from deploy.journal import failures_audited
from deploy.kept import keep_release
from deploy.plan.addresses import other
from deploy.plan.command import Command
from deploy.plan.kept import choose
from deploy.plan.release import Manifest, release_id
from deploy.plan.state import NodeState
from deploy.plan.steps import Switch, switch_steps
from deploy.project import Project
from deploy.put_back import put_back, retiring_told, undo
from deploy.releases import kept_releases
from deploy.remote.probe import probe
from deploy.remote.remote import Remote
from deploy.settings.model import Settings
from deploy.switching import Switching


def rollback(project: Project, *, to: str, wait_seconds: int = 0) -> None:
    """Serve what a kept release was: image, units, files, credentials and certificate.

    It becomes a release of its own. BEFORE_SWITCH is of the release that is left, and does not run.

    Raises:
        DeployError: when there is no such release, or it does not prove itself; what served serves.
    """
    settings = project.settings
    made_by = author(project.folder)
    now = datetime.now(UTC)
    with node.reached(project) as remote:
        hold(remote, project, "rollback", wait_seconds=wait_seconds)
        state = _state(remote, settings)
        if state.interrupted:
            undo(remote, project, state.interrupted.release)
            state = _state(remote, settings)
        serving = state.manifest.release if state.manifest else ""
        chosen = choose(kept_releases(remote, settings.app), serving, to)
        name = release_id(now, secrets.token_hex(2), serving)
        own = {"release": name, "by": made_by.who, "at": now, "seconds": {}, "health": ""}
        manifest = chosen.model_copy(update=own)
        report.say(f"{settings.app} on {settings.node_address}: {serving} -> {chosen.release}")
        switching = Switching(
            remote=remote,
            endpoint=node.endpoint(project),
            settings=settings,
            manifest=manifest,
            previous=serving,
            slot=other(state.slot),
            what="rollback",
        )
        with failures_audited(remote, switching.audit_line()):
            manifest = _take_over(switching, state, chosen)
    keep_release(project, manifest)
    report.good(f"{settings.app} serves what release {chosen.release} was, as release {name}")


def _take_over(switching: Switching, state: NodeState, chosen: Manifest) -> Manifest:
    seconds = dict[str, float]()
    with put_back(switching, state) as begun:
        began = time.monotonic()
        with report.step(f"release {chosen.release} staged again, from this node"):
            switching.run(_stage_again(switching, chosen.release))
        for step in switch_steps(Switch(switching.settings.switch), state.slot):
            seconds[begun[-1] if begun else "stage"] = round(time.monotonic() - began, 3)
            began = time.monotonic()
            begun.append(step.kind)
            if step.kind == "finish":
                switching = replace(switching, manifest=switching.manifest.proven(seconds))
            with retiring_told(step.kind), report.step(step.summary):
                switching.carry_out(step.kind)
    return switching.manifest


def _stage_again(switching: Switching, chosen: str) -> Command:
    return Command(
        "stage-again",
        (switching.app, switching.release, chosen, switching.previous),
        switching.manifest.model_dump_json(indent=1).encode(),
    )


def _state(remote: Remote, settings: Settings) -> NodeState:
    return probe(remote, settings.app, paths=(), credentials={})
