"""Deciding what a deploy does, from what is wanted and what a node holds."""

from collections.abc import Iterator
from dataclasses import dataclass

from deploy.plan.addresses import other
from deploy.plan.deployment import CredentialChange, Deployment, FileChange, How, ImageChange
from deploy.plan.difference import Texts
from deploy.plan.files import File
from deploy.plan.generation import generation
from deploy.plan.image import missing, missing_bytes
from deploy.plan.state import NodeState
from deploy.plan.steps import Wanted, changes, steps, to_seal

_NO_TEXTS = Texts()
_FIREWALL = "/etc/corefab/firewall.d/"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a plan is told besides: the node's name, whether it is the first, what files hold.

    `patched` counts the layers that would travel as patches.
    """

    node: str
    first: bool = False
    texts: Texts = _NO_TEXTS
    patched: int = 0


def deployment(wanted: Wanted, state: NodeState, given: Circumstances) -> Deployment:
    """Decide all that a deploy does.

    Raises:
        DeployError: for `--first` where a release is, for none where none is, for a full disk.
    """
    undo = state.interrupted.release if state.interrupted else ""
    # What an unfinished deploy left is no ground to decide on.
    planned = () if undo else steps(wanted, state, first=given.first)
    return Deployment(
        app=wanted.app,
        node=given.node,
        was=state.manifest.release if state.manifest else "",
        undo=undo,
        reasons=() if undo else tuple(changes(wanted, state)),
        image=_image(wanted, state, given.patched),
        units=tuple(_units(wanted, state, given.texts)),
        files=tuple(_files(wanted, state, given.texts)),
        certificate=_certificate(wanted, state),
        credentials=tuple(_credentials(wanted, state)),
        firewall=_firewall(wanted, state) if planned else "",
        slot=other(state.slot) if planned else "",
        switch=wanted.switch.mode if planned else "",
        restarts=tuple(_starts_and_stops(wanted, state)) if planned else (),
        staged_update=state.staged_update,
        steps=planned,
        leftover="" if undo or planned else state.leftover,
    )


def changed_texts(wanted: Wanted, state: NodeState) -> tuple[tuple[File, ...], tuple[str, ...]]:
    """Name the units and the project files whose two versions a diff would show."""
    held = state.manifest.files if state.manifest else {}
    units = tuple(
        unit
        for unit in wanted.units
        if unit.path in state.files and state.files[unit.path].sha256 != unit.sha256
    )
    files = tuple(
        sorted(
            path for path in held.keys() & wanted.files.keys() if held[path] != wanted.files[path]
        )
    )
    return units, files


def _image(wanted: Wanted, state: NodeState, patched: int) -> ImageChange | None:
    was = state.manifest.image_id if state.manifest else ""
    image = wanted.image
    there = image.id in state.images
    if was == image.id and there:
        return None
    return ImageChange(
        name=image.name,
        was=was,
        becomes=image.id,
        layers=len(image.layers),
        missing=0 if there else len(missing(image, state)),
        bytes=0 if there else missing_bytes(image, state),
        patched=patched,
    )


def _units(wanted: Wanted, state: NodeState, texts: Texts) -> Iterator[FileChange]:
    for unit in wanted.units:
        found = state.files.get(unit.path)
        mark = f"{unit.sha256} {unit.mark}"
        if found is None:
            yield FileChange(path=unit.path, how="added", becomes=mark)
        elif f"{found.sha256} {found.mode}" != mark:
            was = f"{found.sha256} {found.mode}"
            diff = texts.difference(unit.path)
            yield FileChange(path=unit.path, how="changed", was=was, becomes=mark, diff=diff)
    held = state.manifest.units if state.manifest else {}
    for path in sorted(held.keys() - {unit.path for unit in wanted.units}):
        yield FileChange(path=path, how="deleted", was=held[path])


def _files(wanted: Wanted, state: NodeState, texts: Texts) -> Iterator[FileChange]:
    held = state.manifest.files if state.manifest else {}
    for path in sorted(held.keys() | wanted.files.keys()):
        was, becomes = held.get(path, ""), wanted.files.get(path, "")
        if was == becomes:
            continue
        how: How = "added" if not was else "changed" if becomes else "deleted"
        diff = texts.difference(path)
        yield FileChange(path=path, how=how, was=was, becomes=becomes, diff=diff)


def _certificate(wanted: Wanted, state: NodeState) -> tuple[str, str] | None:
    was = state.manifest.certificate if state.manifest else ""
    return None if was == wanted.certificate else (was, wanted.certificate)


def _credentials(wanted: Wanted, state: NodeState) -> Iterator[CredentialChange]:
    for name in to_seal(wanted, state):
        was = generation(name, state)
        found = state.credentials.get(name, "absent")
        yield CredentialChange(name=name, found=found, was=was, becomes=was + 1)


def _starts_and_stops(wanted: Wanted, state: NodeState) -> Iterator[str]:
    yield f"{wanted.app}-{other(state.slot)}.service starts"
    if state.slot:
        yield f"{wanted.app}-{state.slot}.service stops"


def _firewall(wanted: Wanted, state: NodeState) -> str:
    changed = [change.path for change in _units(wanted, state, _NO_TEXTS)]
    if any(path.startswith(_FIREWALL) for path in changed):
        return "loaded anew in one transaction, with changed rules"
    return "the same rules"
