"""A plan: what differs and the steps. `fab plan` shows the value that `fab deploy` carries out."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

from deploy.app.plan.addresses import refuse_clash
from deploy.app.plan.change import (
    CertificateChange,
    Change,
    CredentialChange,
    FileChange,
    ImageChange,
    UnitChange,
)
from deploy.app.plan.changes import PlanInputs, changes
from deploy.app.plan.steps import Step, release_steps
from deploy.app.plan.wanted import Wanted
from deploy.errors import DeployError
from deploy.image.plan.image import refuse_full_disk
from deploy.node.state import NodeState
from deploy.spec.plan.addresses import other

_FIREWALL = "/etc/corefab/firewall.d/"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deploy does; nothing to do where there are no steps.

    `was` is the release that serves, in the slot `serving`; the new one starts in `slot`.
    `undo` is the release of a deploy that did not end: it is undone first, and the rest is planned
    after that. `switch` is how visitors get to the new release. `leftover` is the slot that an
    earlier deploy left running, where no step is left to do.
    """

    app: str
    node: str
    was: str = ""
    undo: str = ""
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    serving: str = ""
    slot: str = ""
    switch: str = ""
    staged_update: str = ""
    leftover: str = ""

    def __bool__(self) -> bool:
        return bool(self.steps or self.undo)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why there is something to do, a line each."""
        if self.changes and not self.was:
            return ("no release on the node yet",)
        return tuple(str(change) for change in self.changes)

    @property
    def image(self) -> ImageChange | None:
        """The change of the image, if any."""
        return next((one for one in self.changes if isinstance(one, ImageChange)), None)

    @property
    def units(self) -> tuple[UnitChange, ...]:
        """The host files that change."""
        return tuple(one for one in self.changes if isinstance(one, UnitChange))

    @property
    def files(self) -> tuple[FileChange, ...]:
        """The project files that change."""
        files = (one for one in self.changes if isinstance(one, FileChange))
        return tuple(one for one in files if not isinstance(one, UnitChange))

    @property
    def certificate(self) -> CertificateChange | None:
        """The change of the certificate, if any."""
        return next((one for one in self.changes if isinstance(one, CertificateChange)), None)

    @property
    def credentials(self) -> tuple[CredentialChange, ...]:
        """The credentials that are sealed."""
        return tuple(one for one in self.changes if isinstance(one, CredentialChange))

    @property
    def firewall(self) -> str:
        """What happens to the node's firewall."""
        if not self.steps:
            return ""
        if any(unit.path.startswith(_FIREWALL) for unit in self.units):
            return "reloaded in one transaction, with changed rules"
        return "the same rules"

    @property
    def restarts(self) -> tuple[str, ...]:
        """The services that start and stop."""
        starts = (f"{self.app}-{self.slot}.service starts",) if self.slot else ()
        return starts + ((f"{self.app}-{self.serving}.service stops",) if self.serving else ())

    def document(self) -> dict[str, object]:
        """Give the plan as `fab plan --json` prints it and hooks get it; an interface."""
        image, certificate = self.image, self.certificate
        return {
            "app": self.app,
            "node": self.node,
            "was": self.was,
            "undo": self.undo,
            "reasons": self.reasons,
            "image": asdict(image) if image else None,
            "units": _documents(self.units),
            "files": _documents(self.files),
            "certificate": (certificate.was, certificate.becomes) if certificate else None,
            "credentials": _documents(self.credentials),
            "firewall": self.firewall,
            "slot": self.slot,
            "switch": self.switch,
            "restarts": self.restarts,
            "staged_update": self.staged_update,
            "steps": [_step_document(step) for step in self.steps],
            "leftover": self.leftover,
        }


def plan_deploy(wanted: Wanted, state: NodeState, inputs: PlanInputs) -> Plan:
    """Decide all that a deploy does.

    Raises:
        DeployError: for `--first` where there is a release, for none where there is none, for a
            full disk, for addresses that are in use.
    """
    was = state.manifest.release if state.manifest else ""
    unchanged = Plan(wanted.app, inputs.node, was, staged_update=state.staged_update)
    if state.interrupted:
        # What an unfinished deploy left is no ground to decide on.
        return replace(unchanged, undo=state.interrupted.release)
    _refuse_mismatch(wanted.app, was, first=inputs.first)
    found = tuple(changes(wanted, state, inputs))
    if not found:
        return replace(unchanged, leftover=state.leftover)
    refuse_full_disk(wanted.image, state)
    refuse_clash(wanted.app, wanted.subnets, state.routes)
    return replace(
        unchanged,
        changes=found,
        steps=tuple(release_steps(wanted, state)),
        serving=state.slot,
        slot=other(state.slot),
        switch=wanted.switch.mode,
    )


def _refuse_mismatch(app: str, release: str, *, first: bool) -> None:
    if first and release:
        raise DeployError(
            f"release {release} of {app} is on this node already",
            "run `fab deploy` without --first",
        )
    if not first and not release:
        raise DeployError(
            f"there is no release of {app} on this node yet", "run `fab deploy --first`"
        )


def _documents(
    found: Iterable[FileChange | CredentialChange],
) -> list[dict[str, object]]:
    return [asdict(one) for one in found]


def _step_document(step: Step) -> dict[str, str]:
    """Write a step; `summary`, from before there were titles, is the text for when it is done."""
    return {
        "kind": step.kind,
        "title": step.title,
        "summary": step.done,
        "credential": step.credential,
    }
