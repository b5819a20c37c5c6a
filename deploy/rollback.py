"""Verb: go back to a release that the node keeps, gated like a deploy."""

import secrets
from datetime import UTC, datetime
from pathlib import Path

from deploy import node, report
from deploy.author import author
from deploy.errors import DeployError
from deploy.plan import command
from deploy.plan.addresses import other
from deploy.plan.command import Command
from deploy.plan.kept import Kept, choose, read_kept
from deploy.plan.release import Manifest, release_id
from deploy.plan.state import NodeState
from deploy.plan.steps import Switch, switch_steps
from deploy.put_back import put_back
from deploy.remote.lock import take_lock
from deploy.remote.probe import probe
from deploy.remote.remote import Remote
from deploy.settings.model import Settings
from deploy.switching import Switching


def rollback(folder: Path, settings: Settings, *, to: str) -> None:
    """Serve what a kept release was: image, units, files, credentials and certificate.

    It becomes a release of its own. BEFORE_SWITCH is of the release that is left, and does not run.

    Raises:
        DeployError: when there is no such release, or it does not prove itself; what served serves.
    """
    made_by = author(folder)
    now = datetime.now(UTC)
    with node.reached(folder, settings) as remote:
        take_lock(remote, settings.app, who=made_by.who, what="rollback", now=now)
        state = _state(remote, settings)
        if state.interrupted:
            _undo(remote, settings)
            state = _state(remote, settings)
        serving = state.manifest.release if state.manifest else ""
        chosen = choose(_kept(remote, settings), serving, to)
        name = release_id(now, secrets.token_hex(2))
        manifest = chosen.model_copy(update={"release": name, "by": made_by.who, "at": now})
        report.say(f"{settings.app} on {settings.node_address}: {serving} -> {chosen.release}")
        switching = Switching(
            remote=remote,
            endpoint=node.endpoint(folder, settings),
            settings=settings,
            manifest=manifest,
            previous=serving,
            slot=other(state.slot),
        )
        _take_over(switching, state, chosen)
    report.good(f"{settings.app} serves what release {chosen.release} was, as release {name}")


def _take_over(switching: Switching, state: NodeState, chosen: Manifest) -> None:
    with put_back(switching, state) as begun:
        with report.step(f"release {chosen.release} staged again, from this node"):
            switching.run(_stage_again(switching, chosen.release))
        for step in switch_steps(Switch(switching.settings.switch), state.slot):
            begun.append(step.kind)
            with report.step(step.summary):
                switching.carry_out(step.kind)


def _stage_again(switching: Switching, chosen: str) -> Command:
    return Command(
        "stage-again",
        (switching.app, switching.release, chosen, switching.previous),
        switching.manifest.model_dump_json(indent=1).encode(),
    )


def _state(remote: Remote, settings: Settings) -> NodeState:
    return probe(remote, settings.app, paths=(), credentials={})


def _kept(remote: Remote, settings: Settings) -> tuple[Kept, ...]:
    result = remote.run(Command("releases", (settings.app,)))
    if result.code:
        raise DeployError(f"the releases cannot be listed: {result.stderr.strip()}")
    return read_kept(result.stdout)


def _undo(remote: Remote, settings: Settings) -> None:
    with report.step("put back what an unfinished deploy changed"):
        result = remote.run(command.undo(settings.app))
        if result.code:
            raise DeployError(f"undo failed on the node: {result.stderr.strip()}")
