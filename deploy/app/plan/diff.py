"""The differences between the desired state of an app and the state of its node."""

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
from deploy.app.plan.desired_state import DesiredState
from deploy.app.plan.text_diff import Texts
from deploy.image.plan.image import missing, missing_bytes
from deploy.node.state import NodeState
from deploy.settings.model import CERT_PASS

_NO_TEXTS = Texts()
# The settings by which a release is checked.
_PROOF = {
    "path": "HEALTH_PATH",
    "address": "PUBLIC_ADDRESS",
    "port": "HTTPS_PORT",
    "names": "CERT_NAMES",
    "switch": "SWITCH",
    "tls": "TLS",
}


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """Planning inputs other than desired and actual state.

    `first` is `--first`. `texts` are file contents to show diffs of; `patched` counts the layers
    that would be sent as patches. `trouble` is a reason to deploy that no comparison finds.
    """

    node: str
    first: bool = False
    texts: Texts = _NO_TEXTS
    patched: int = 0
    trouble: str = ""


def diff(desired: DesiredState, state: NodeState, inputs: PlanInputs) -> Iterator[Change]:
    """List every difference between the desired state and the node's state."""
    yield from _image(desired, state, inputs.patched)
    yield from _units(desired, state, inputs.texts)
    files = state.manifest.files if state.manifest else {}
    yield from file_changes(files, desired.files, inputs.texts)
    yield from _certificate(desired, state)
    yield from credential_changes(desired, state)
    yield from _proof(desired, state)
    yield from _troubles(state, inputs.trouble)


def file_changes(
    actual: Mapping[str, str], desired: Mapping[str, str], texts: Texts = _NO_TEXTS
) -> Iterator[FileChange]:
    """List each project file added, changed or deleted."""
    for path in sorted(actual.keys() | desired.keys()):
        was, becomes = actual.get(path, ""), desired.get(path, "")
        if was != becomes:
            how: How = (
                "added" if path not in actual else "changed" if path in desired else "deleted"
            )
            yield FileChange(path, how, was, becomes, texts.difference(path))


def credential_changes(desired: DesiredState, state: NodeState) -> Iterator[CredentialChange]:
    """List the credentials to seal: those that differ, and those in `reseal`."""
    for name in desired.credentials:
        asked = name in desired.reseal
        if asked or _differs(name, desired, state):
            was = _generation(name, state)
            found = state.credentials.get(name, "absent")
            yield CredentialChange(name, found, was, was + 1, asked)


def generations(desired: DesiredState, state: NodeState) -> dict[str, int]:
    """Count how often each credential has been sealed once the next release serves."""
    sealed = {change.name: change.becomes for change in credential_changes(desired, state)}
    return {name: _generation(name, state) for name in desired.credentials} | sealed


def _image(desired: DesiredState, state: NodeState, patched: int) -> Iterator[ImageChange]:
    was = state.manifest.image_id if state.manifest else ""
    image = desired.image
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


def _units(desired: DesiredState, state: NodeState, texts: Texts) -> Iterator[UnitChange]:
    for unit in desired.units:
        found = state.files.get(unit.path)
        becomes = f"{unit.sha256} {unit.mode_and_owner}"
        was = f"{found.sha256} {found.mode}" if found else ""
        if found is None:
            yield UnitChange(unit.path, "added", was, becomes)
        elif was != becomes:
            yield UnitChange(unit.path, "changed", was, becomes, texts.difference(unit.path))
    installed = state.manifest.units if state.manifest else {}
    for path in sorted(installed.keys() - {unit.path for unit in desired.units}):
        yield UnitChange(path, "deleted", installed[path])


def _certificate(desired: DesiredState, state: NodeState) -> Iterator[Change]:
    manifest = state.manifest
    was = manifest.certificate if manifest else ""
    if desired.certificate not in {was, ""}:
        yield CertificateChange(was, desired.certificate)
    elif manifest and manifest.key != desired.key:
        yield OtherChange("the TLS key file was encrypted again")


def _proof(desired: DesiredState, state: NodeState) -> Iterator[OtherChange]:
    held, wanted = state.manifest and state.manifest.proof, desired.proof
    if held:
        changed = [
            key for field, key in _PROOF.items() if getattr(held, field) != getattr(wanted, field)
        ]
        if changed:
            yield OtherChange(f"{', '.join(changed)} changed")


def _differs(name: str, desired: DesiredState, state: NodeState) -> bool:
    """Return whether a credential must be sealed: the node has none, or another value.

    A value that has to be typed in cannot be compared. It counts as the same, except for the
    password of a new key file.
    """
    found = state.credentials.get(name)
    new_key = state.manifest is not None and state.manifest.key != desired.key
    return found != "same" and (found != "present" or (name == CERT_PASS and new_key))


def _generation(name: str, state: NodeState) -> int:
    """Count how often a credential was sealed; once, where an older manifest has no count."""
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
