"""Verb: bring an app on its node to what is wanted, or leave what was there."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy import node, report
from deploy.app_files import app_files
from deploy.author import author
from deploy.credentials import Credentials
from deploy.delivery import Delivery
from deploy.errors import DeployError
from deploy.image.delta_build import Workshop
from deploy.image.export import Export
from deploy.image.local import open_image
from deploy.plan import command
from deploy.plan.addresses import other, subnets
from deploy.plan.release import Manifest, release_id
from deploy.plan.state import NodeState
from deploy.plan.steps import Switch, Wanted, changes, generations, steps, to_seal
from deploy.project_files import list_files
from deploy.prove import prove
from deploy.put_back import put_back
from deploy.remote.lock import take_lock
from deploy.remote.probe import probe
from deploy.remote.remote import Remote
from deploy.settings.model import Settings
from deploy.switching import Switching
from deploy.tls import Pair, check_chain, check_pair, load_pair
from deploy.unit_check import refuse_traps

_PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted, with the material that makes it."""

    folder: Path
    settings: Settings
    wanted: Wanted
    export: Export
    pair: Pair
    credentials: Credentials


def rollout(
    folder: Path,
    settings: Settings,
    *,
    first: bool,
    reseal: frozenset[str] = frozenset(),
    credentials: Credentials | None = None,
) -> None:
    """Deploy the app; credentials in `reseal` are sealed anew, whatever the node holds.

    Raises:
        DeployError: when something fails; the node serves what it served before.
    """
    refuse_traps(folder, settings)
    pair = load_pair(folder, settings)
    check_chain(pair, settings)
    given = credentials or Credentials(settings, node.asker())
    with open_image(folder, settings) as export:
        wanted = _wanted(folder, settings, pair, export, reseal)
        _rollout(Goal(folder, settings, wanted, export, pair, given), first=first)


def _rollout(goal: Goal, *, first: bool) -> None:
    settings = goal.settings
    with node.reached(goal.folder, settings) as remote:
        state = _state(remote, goal)
        if state.interrupted:
            _lock(remote, goal)
            # Whoever was at it may have ended in the meantime: only what is left is undone.
            state = _state(remote, goal)
            if state.interrupted:
                state = _undo(remote, goal, state)
            plan = steps(goal.wanted, state, first=first)
        else:
            plan = steps(goal.wanted, state, first=first)
            if not plan and (trouble := _trouble(goal)):
                state = state.model_copy(update={"trouble": trouble})
                plan = steps(goal.wanted, state, first=first)
            if plan:
                _lock(remote, goal)
        if not plan:
            _retire_leftover(remote, goal, state)
            report.good(f"nothing to do: {settings.app} serves what is wanted{_which(state)}")
            return
        refuse_traps(goal.folder, settings, podman=state.podman)
        _check_pair(goal, state)
        _show(goal, state)
        delivery = _delivery(remote, goal, state)
        with put_back(delivery.switching, state) as begun:
            for step in plan:
                begun.append(step.kind)
                delivery.carry_out(step)
    switching = delivery.switching
    report.good(f"{settings.app} serves release {switching.release} at {switching.endpoint}")


def files_folder(folder: Path, settings: Settings) -> Path | None:
    """Say where the project files are."""
    return folder / settings.project_files.expanduser() if settings.project_files else None


def _wanted(
    folder: Path, settings: Settings, pair: Pair, export: Export, reseal: frozenset[str]
) -> Wanted:
    return Wanted(
        app=settings.app,
        image=export.image,
        units=app_files(folder, settings),
        files=list_files(files_folder(folder, settings)),
        certificate=pair.leaf.sha256,
        key=hashlib.sha256(pair.key_file).hexdigest(),
        credentials=tuple(source.credential for source in settings.sources),
        subnets=subnets(settings),
        switch=Switch(settings.switch, settings.before_switch),
        reseal=reseal,
    )


def _state(remote: Remote, goal: Goal) -> NodeState:
    paths = tuple(unit.path for unit in goal.wanted.units)
    return probe(remote, goal.settings.app, paths=paths, credentials=goal.credentials.known())


def _trouble(goal: Goal) -> str:
    """Say what a visitor meets when it is not the app in health; nothing when it is."""
    address = node.endpoint(goal.folder, goal.settings)
    try:
        prove(
            address,
            goal.settings.health_path,
            goal.wanted.certificate,
            timeout_seconds=_PATIENCE_SECONDS,
        )
    except DeployError as error:
        return error.message
    return ""


def _lock(remote: Remote, goal: Goal) -> None:
    who = author(goal.folder).who
    take_lock(remote, goal.settings.app, who=who, what="deploy", now=datetime.now(UTC))


def _undo(remote: Remote, goal: Goal, state: NodeState) -> NodeState:
    unfinished = state.interrupted.release if state.interrupted else ""
    with report.step(f"put back what the unfinished deploy {unfinished} changed"):
        result = remote.run(command.undo(goal.settings.app))
        if result.code:
            raise DeployError(f"undo failed on the node: {result.stderr.strip()}")
    return _state(remote, goal)


def _check_pair(goal: Goal, state: NodeState) -> None:
    """Check certificate, key and password together whenever one of them is new to the node."""
    held = state.manifest
    known = held and (held.certificate, held.key) == (goal.wanted.certificate, goal.wanted.key)
    if not known or "cert_pass" in to_seal(goal.wanted, state):
        check_pair(goal.pair, goal.settings, goal.credentials.value("cert_pass"))


def _show(goal: Goal, state: NodeState) -> None:
    report.say(f"{goal.settings.app} on {goal.settings.node_address}{_which(state)}:")
    for change in changes(goal.wanted, state):
        report.say(f"  {change}")
    if state.staged_update:
        report.warn(
            f"the node has an OS update staged ({state.staged_update}) and may restart for it"
        )


def _delivery(remote: Remote, goal: Goal, state: NodeState) -> Delivery:
    settings = goal.settings
    return Delivery(
        switching=Switching(
            remote=remote,
            endpoint=node.endpoint(goal.folder, settings),
            settings=settings,
            manifest=_manifest(goal, state),
            previous=state.manifest.release if state.manifest else "",
            slot=other(state.slot),
        ),
        target=node.target(goal.folder, settings),
        wanted=goal.wanted,
        workshop=Workshop(goal.export),
        pair=goal.pair,
        credentials=goal.credentials,
        files_folder=files_folder(goal.folder, settings),
        state=state,
        look=lambda: _state(remote, goal),
    )


def _retire_leftover(remote: Remote, goal: Goal, state: NodeState) -> None:
    """Stop the slot that a deploy left running when its connection was lost at the very end."""
    if state.leftover:
        with report.step(f"slot {state.leftover}, which serves no longer, drained and stopped"):
            result = remote.run(command.retire(goal.settings.app, goal.settings.drain_seconds))
            if result.code:
                raise DeployError(f"retire failed on the node: {result.stderr.strip()}")


def _manifest(goal: Goal, state: NodeState) -> Manifest:
    now = datetime.now(UTC)
    made_by = author(goal.folder)
    wanted = goal.wanted
    return Manifest(
        release=release_id(now, secrets.token_hex(2)),
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


def _which(state: NodeState) -> str:
    return f" (release {state.manifest.release})" if state.manifest else ""
