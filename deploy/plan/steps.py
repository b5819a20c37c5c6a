"""What a deploy does: the difference between what is wanted and what a node holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from deploy.errors import DeployError
from deploy.plan.addresses import other, refuse_clash
from deploy.plan.files import File
from deploy.plan.image import Image, megabytes, missing, missing_bytes, refuse_full_disk
from deploy.plan.state import NodeState

Kind = Literal[
    "stage", "image", "files", "seal", "start", "check", "before", "move", "prove", "finish",
    "retire",
]  # fmt: skip
_PLACES: Mapping[Kind, int] = {
    "stage": 0, "image": 1, "files": 1, "seal": 1, "start": 2, "check": 3, "before": 4, "move": 5,
    "prove": 6, "finish": 7, "retire": 8,
}  # fmt: skip
_PARTS_OF_A_SWITCH: tuple[Kind, ...] = ("stage", "start", "check", "prove", "finish")


@dataclass(frozen=True, slots=True)
class Switch:
    """How a release takes over: slots, restart or socket, and what runs in it before."""

    mode: str = "slots"
    before: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a node should hold of an app; `files` maps a project file's path to its mark.

    `switch` says how the front door moves, `subnets` which addresses the app's network has.
    Credentials in `reseal` are sealed anew, whatever the node holds.
    """

    app: str
    image: Image
    units: tuple[File, ...]
    files: Mapping[str, str]
    certificate: str
    key: str
    credentials: tuple[str, ...]
    subnets: tuple[str, str]
    switch: Switch
    reseal: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a deploy: what it is, in words, and the credential it seals."""

    kind: Kind
    summary: str
    credential: str = ""


def steps(wanted: Wanted, state: NodeState, *, first: bool) -> tuple[Step, ...]:
    """Decide the steps; none when the node holds and runs what is wanted.

    Raises:
        DeployError: for `--first` where a release is, for none where none is, for a full disk.
    """
    _refuse_mismatch(wanted.app, state, first=first)
    if not tuple(changes(wanted, state)):
        return ()
    refuse_full_disk(wanted.image, state)
    refuse_clash(wanted.app, wanted.subnets, state.routes)
    plan = tuple(_release_steps(wanted, state))
    check(plan)
    return plan


def changes(wanted: Wanted, state: NodeState) -> Iterator[str]:
    """Name each difference between what is wanted and what a node holds, a line each."""
    held = state.manifest
    if held is None:
        yield "no release on the node yet"
        return
    if held.image_id != wanted.image.id:
        yield f"image {short(held.image_id)} -> {short(wanted.image.id)}"
    yield from _unit_changes(wanted, state)
    yield from file_changes(held.files, wanted.files)
    if held.certificate != wanted.certificate:
        yield f"certificate {held.certificate[:16]} -> {wanted.certificate[:16]}"
    elif held.key != wanted.key:
        yield "the TLS key file was encrypted anew"
    for credential in to_seal(wanted, state):
        word = state.credentials.get(credential, "absent")
        asked = word == "same" or credential in wanted.reseal
        yield f"credential {credential} is {'to be sealed anew' if asked else word}"
    yield from _troubles(state)


def _troubles(state: NodeState) -> Iterator[str]:
    if state.active != "active":
        yield f"the app is {state.active}"
    elif state.door != "open":
        yield f"front door: {state.door}"
    if state.trouble:
        yield state.trouble


def file_changes(held: Mapping[str, str], wanted: Mapping[str, str]) -> Iterator[str]:
    """Name each project file added, changed or deleted."""
    for path in sorted(held.keys() | wanted.keys()):
        if path not in held:
            yield f"file added: {path}"
        elif path not in wanted:
            yield f"file deleted: {path}"
        elif held[path] != wanted[path]:
            yield f"file changed: {path}"


def check(plan: tuple[Step, ...]) -> None:
    """Refuse a plan that would leave something unproven.

    Raises:
        ValueError: when a switch lacks one of its parts, or a step is out of place or doubled.
    """
    kinds = [step.kind for step in plan]
    lacking = [kind for kind in _PARTS_OF_A_SWITCH if kind not in kinds]
    if "move" in kinds and lacking:
        raise ValueError(f"a switch needs {', '.join(lacking)} as well: {kinds}")
    if kinds != sorted(kinds, key=lambda kind: _PLACES[kind]):
        raise ValueError(f"steps out of order: {kinds}")
    single = [kind for kind in kinds if kind != "seal"]
    if len(single) != len(set(single)):
        raise ValueError(f"a step comes twice: {kinds}")


def short(image_id: str) -> str:
    """Shorten an image id for people."""
    return image_id.removeprefix("sha256:")[:12]


def _refuse_mismatch(app: str, state: NodeState, *, first: bool) -> None:
    if first and state.manifest:
        raise DeployError(
            f"release {state.manifest.release} of {app} is on this node already",
            "run `fab deploy` without --first",
        )
    if not first and not state.manifest:
        raise DeployError(
            f"there is no release of {app} on this node yet", "run `fab deploy --first`"
        )


def _release_steps(wanted: Wanted, state: NodeState) -> Iterator[Step]:
    yield Step("stage", "units checked by the node's Quadlet generator")
    yield Step("image", f"image {short(wanted.image.id)}: {_way(wanted.image, state)}")
    yield Step("files", f"{len(wanted.files)} project files: changed ones only")
    for credential in to_seal(wanted, state):
        yield Step("seal", f"credential {credential} sealed on the node", credential)
    yield from switch_steps(wanted.switch, state.slot)


def switch_steps(switch: Switch, serving: str) -> Iterator[Step]:
    """List the steps by which a staged release takes over from the slot that serves."""
    slot = other(serving)
    gap = f"the front door holds, {serving} stopped, " if switch.mode == "restart" else ""
    yield Step("start", f"{gap if serving else ''}slot {slot} started with the new release")
    if switch.mode == "socket":
        yield Step("check", f"slot {slot} healthy by its own word")
        stopped = f", {serving} stopped" if serving else ""
        yield Step("move", f"socket moved to {slot}{stopped}")
    else:
        yield Step("check", f"slot {slot} healthy over HTTPS, with the expected certificate")
        if switch.before:
            yield Step("before", f"{switch.before[0]} run in it")
        yield Step("move", f"front door moved to {slot}")
    yield Step("prove", "HTTPS endpoint healthy, with the expected certificate")
    yield Step("finish", "release written down")
    if serving:
        yield Step("retire", f"slot {serving} drained and stopped")


def _way(image: Image, state: NodeState) -> str:
    if image.id in state.images:
        return "on the node already"
    if not image.layers:
        return f"{megabytes(image.size)} to send, compressed"
    lacking = missing(image, state)
    if not lacking:
        return "its layers are on the node already"
    most = megabytes(missing_bytes(image, state))
    return f"{len(lacking)} of {len(image.layers)} layers to send, {most} before compression"


def to_seal(wanted: Wanted, state: NodeState) -> tuple[str, ...]:
    """Name the credentials that the node lacks or holds with another value.

    A value that somebody has to be asked for cannot be compared; the password of a new key file
    is taken to be a new one.
    """
    new_key = state.manifest is not None and state.manifest.key != wanted.key
    return tuple(
        name
        for name in wanted.credentials
        if name in wanted.reseal
        or (
            (found := state.credentials.get(name)) != "same"
            and (found != "present" or (name == "cert_pass" and new_key))
        )
    )


def _unit_changes(wanted: Wanted, state: NodeState) -> Iterator[str]:
    for unit in wanted.units:
        held = state.files.get(unit.path)
        if held is None:
            yield f"unit added: {unit.path}"
        elif held.sha256 != unit.sha256:
            yield f"unit changed: {unit.path}"
        elif held.mode != unit.mark:
            yield f"unit {unit.path} is {held.mode}, not {unit.mark}"
    gone = (state.manifest.units.keys() if state.manifest else set()) - {
        unit.path for unit in wanted.units
    }
    for path in sorted(gone):
        yield f"unit removed: {path}"
