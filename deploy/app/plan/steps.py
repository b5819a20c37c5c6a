"""The steps of a deploy in order, each with a title and a text that reports it done."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deploy.app.plan.desired_state import DesiredState, Switch
from deploy.app.plan.diff import credential_changes
from deploy.console.size import size
from deploy.image.plan.image import Image, missing, missing_bytes, short
from deploy.node.state import NodeState
from deploy.spec.plan.addresses import other

Kind = Literal[
    "stage", "image", "files", "seal", "start", "check", "before", "move", "prove", "finish",
    "retire",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `title` for the plan and while it runs, `done` for afterwards.

    `credential` is the credential to seal, `source` the kept release that a rollback copies.
    """

    kind: Kind
    title: str
    done: str
    credential: str = ""
    source: str = ""


def release_steps(desired: DesiredState, state: NodeState) -> Iterator[Step]:
    """List the steps that send a new release and let it take over."""
    title = "Stage the release and check its units with the node's Quadlet generator"
    yield Step("stage", title, "release staged, units accepted by the node's Quadlet generator")
    yield _image_step(desired.image, state)
    count = len(desired.files)
    title = f"Send changed project files (of {count})"
    yield Step("files", title, f"changed project files sent (of {count})")
    for name in (change.name for change in credential_changes(desired, state)):
        done = f"credential {name} sealed on the node"
        yield Step("seal", f"Seal credential {name} on the node", done, name)
    yield from switch_steps(desired.switch, state.slot)


def rollback_steps(switch: Switch, serving: str, source: str) -> Iterator[Step]:
    """List the steps that let a release kept on the node serve again."""
    yield Step(
        "stage",
        f"Copy release {source} on the node",
        f"release {source} copied on the node",
        source=source,
    )
    yield from switch_steps(switch, serving)


def switch_steps(switch: Switch, serving: str) -> Iterator[Step]:
    """List the steps by which a staged release takes over."""
    slot = other(serving)
    yield _start(switch, serving, slot)
    yield from _take_over(switch, serving, slot)
    if switch.tls == "none":
        yield Step("prove", "Check health of the HTTP endpoint", "HTTP endpoint healthy")
    else:
        healthy = "HTTPS endpoint healthy, with the expected certificate"
        yield Step("prove", "Check health and certificate of the HTTPS endpoint", healthy)
    yield Step("finish", "Record the release", "release recorded")
    if serving:
        yield Step(
            "retire", f"Drain and stop slot {serving}", f"slot {serving} drained and stopped"
        )


def _image_step(image: Image, state: NodeState) -> Step:
    name = f"image {short(image.id)}"
    if image.id in state.images:
        return Step("image", f"Use {name}, on the node already", f"{name}: on the node already")
    if image.layers and not missing(image, state):
        made = "from layers on the node"
        return Step("image", f"Assemble {name} {made}", f"{name} assembled {made}")
    parts = _parts(image, state)
    return Step("image", f"Send {name}: {parts}", f"{name} sent: {parts}")


def _parts(image: Image, state: NodeState) -> str:
    if not image.layers:
        return f"{size(image.size)}, compressed"
    count = f"{len(missing(image, state))} of {len(image.layers)} layers"
    return f"{count}, {size(missing_bytes(image, state))} before compression"


def _start(switch: Switch, serving: str, slot: str) -> Step:
    title, done = f"Start slot {slot}", f"slot {slot} started"
    if serving and switch.mode == "restart":
        title = f"Hold visitors at the front door, stop slot {serving}, start slot {slot}"
        done = f"visitors held, slot {serving} stopped, slot {slot} started"
    return Step("start", title, done)


def _take_over(switch: Switch, serving: str, slot: str) -> Iterator[Step]:
    if switch.mode == "socket":
        title = f"Wait until slot {slot} reports that it is healthy"
        yield Step("check", title, f"slot {slot} reported that it is healthy")
        title = f"Stop slot {serving}, move" if serving else "Move"
        done = f"slot {serving} stopped, " if serving else ""
        yield Step("move", f"{title} the socket to slot {slot}", f"{done}socket moved to {slot}")
        return
    if switch.tls == "app":
        healthy = f"slot {slot} healthy over HTTPS, with the expected certificate"
        yield Step("check", f"Check health and certificate of slot {slot}", healthy)
    else:
        yield Step("check", f"Check health of slot {slot}", f"slot {slot} healthy over HTTP")
    if switch.before:
        command = switch.before[0]
        yield Step("before", f"Run {command} in slot {slot}", f"{command} run in slot {slot}")
    what = "route" if switch.tls == "proxy" else "front door"
    yield Step("move", f"Move the {what} to slot {slot}", f"{what} moved to slot {slot}")
