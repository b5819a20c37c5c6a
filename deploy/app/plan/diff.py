"""The differences between what is wanted of an app and what its node holds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from deploy.app.plan.changes import (
    CertificateChange,
    Change,
    CredentialChange,
    FileChange,
    How,
    ImageChange,
    OtherChange,
    UnitChange,
)
from deploy.app.plan.text_diff import Texts
from deploy.app.plan.wanted import Wanted
from deploy.image.plan.image import missing, missing_bytes
from deploy.node.state import NodeState
from deploy.settings.model import CERT_PASS

_NO_TEXTS = Texts()


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Planning inputs other than the desired state and the node's.

    `first` is `--first`. `texts` are contents to show diffs of, `patched` counts the layers that
    would travel as patches. `trouble` is a reason to deploy that no comparison finds.
    """

    node: str
    first: bool = False
    texts: Texts = _NO_TEXTS
    patched: int = 0
    trouble: str = ""


def changes(wanted: Wanted, state: NodeState, inputs: PlanInputs) -> Iterator[Change]:
    """List each difference between what is wanted and what a node holds."""
    yield from _image(wanted, state, inputs.patched)
    yield from _units(wanted, state, inputs.texts)
    held = state.manifest.files if state.manifest else {}
    yield from file_changes(held, wanted.files, inputs.texts)
    yield from _certificate(wanted, state)
    yield from credential_changes(wanted, state)
    yield from _troubles(state, inputs.trouble)


def file_changes(
    held: Mapping[str, str], wanted: Mapping[str, str], texts: Texts = _NO_TEXTS
) -> Iterator[FileChange]:
    """List each project file added, changed or deleted."""
    for path in sorted(held.keys() | wanted.keys()):
        was, becomes = held.get(path, ""), wanted.get(path, "")
        if was != becomes:
            how: How = "added" if path not in held else "changed" if path in wanted else "deleted"
            yield FileChange(path, how, was, becomes, texts.difference(path))


def credential_changes(wanted: Wanted, state: NodeState) -> Iterator[CredentialChange]:
    """List the credentials to seal: those that differ, and those that are to be sealed again."""
    for name in wanted.credentials:
        asked = name in wanted.reseal
        if asked or _differs(name, wanted, state):
            was = _generation(name, state)
            found = state.credentials.get(name, "absent")
            yield CredentialChange(name, found, was, was + 1, asked)


def generations(wanted: Wanted, state: NodeState) -> dict[str, int]:
    """Count each credential's sealings as the next release has them."""
    sealed = {change.name: change.becomes for change in credential_changes(wanted, state)}
    return {name: _generation(name, state) for name in wanted.credentials} | sealed


def _image(wanted: Wanted, state: NodeState, patched: int) -> Iterator[ImageChange]:
    was = state.manifest.image_id if state.manifest else ""
    image = wanted.image
    there = image.id in state.images
    if was == image.id and there:
        return
    yield ImageChange(
        name=image.name,
        was=was,
        becomes=image.id,
        layers=len(image.layers),
        missing=0 if there else len(missing(image, state)),
        bytes=0 if there else missing_bytes(image, state),
        patched=patched,
    )


def _units(wanted: Wanted, state: NodeState, texts: Texts) -> Iterator[UnitChange]:
    for unit in wanted.units:
        found = state.files.get(unit.path)
        becomes = f"{unit.sha256} {unit.mark}"
        was = f"{found.sha256} {found.mode}" if found else ""
        if found is None:
            yield UnitChange(unit.path, "added", was, becomes)
        elif was != becomes:
            yield UnitChange(unit.path, "changed", was, becomes, texts.difference(unit.path))
    held = state.manifest.units if state.manifest else {}
    for path in sorted(held.keys() - {unit.path for unit in wanted.units}):
        yield UnitChange(path, "deleted", held[path])


def _certificate(wanted: Wanted, state: NodeState) -> Iterator[Change]:
    held = state.manifest
    was = held.certificate if held else ""
    if was != wanted.certificate:
        yield CertificateChange(was, wanted.certificate)
    elif held and held.key != wanted.key:
        yield OtherChange("the TLS key file was encrypted again")


def _differs(name: str, wanted: Wanted, state: NodeState) -> bool:
    """Tell whether the node lacks a credential or holds another value of it.

    A value that has to be asked for cannot be compared: it is taken to be the same, except for the
    password of a new key file.
    """
    found = state.credentials.get(name)
    new_key = state.manifest is not None and state.manifest.key != wanted.key
    return found != "same" and (found != "present" or (name == CERT_PASS and new_key))


def _generation(name: str, state: NodeState) -> int:
    """Count a credential's sealings; one that an older release does not count was sealed once."""
    counted = state.manifest.generations.get(name) if state.manifest else None
    there = state.credentials.get(name, "absent") != "absent"
    return counted if counted is not None else int(there)


def _troubles(state: NodeState, trouble: str) -> Iterator[OtherChange]:
    if state.active != "active":
        yield OtherChange(f"the app is {state.active}")
    elif state.door != "open":
        yield OtherChange(f"front door: {state.door}")
    if trouble:
        yield OtherChange(trouble)
