"""The plan of a deploy: changes and steps. `fab deploy` carries out what `fab plan` shows."""

from dataclasses import asdict, dataclass, replace

from deploy.app.plan.addresses import refuse_clash
from deploy.app.plan.changes import (
    CertificateChange,
    Change,
    CredentialChange,
    FileChange,
    ImageChange,
    UnitChange,
)
from deploy.app.plan.desired_state import DesiredState
from deploy.app.plan.diff import PlanInputs, diff
from deploy.app.plan.steps import Step, release_steps
from deploy.errors import DeployError
from deploy.image.plan.image import refuse_full_disk, refuse_platform
from deploy.node.state import NodeState
from deploy.spec.plan.addresses import other

_FIREWALL = "/etc/corefab/firewall.d/"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a deploy does; without steps there is nothing to do.

    `was` is the release that serves, in the slot `serving`; the new one starts in `slot`.
    `undo` is the release of an unfinished deploy: it is undone first, and the rest planned after
    that. `switch` is how the new release takes over. `leftover` is a slot that an earlier deploy
    left running; it is set only where there are no steps.
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
        """The reasons to deploy, a line each."""
        if self.changes and not self.was:
            return ("no release on the node yet",)
        return tuple(str(change) for change in self.changes)

    @property
    def image(self) -> ImageChange | None:
        """The change of the image; None without one."""
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
        """The change of the certificate; None without one."""
        return next((one for one in self.changes if isinstance(one, CertificateChange)), None)

    @property
    def credentials(self) -> tuple[CredentialChange, ...]:
        """The credentials to seal."""
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
            "units": [asdict(one) for one in self.units],
            "files": [asdict(one) for one in self.files],
            "certificate": (certificate.was, certificate.becomes) if certificate else None,
            "credentials": [asdict(one) for one in self.credentials],
            "firewall": self.firewall,
            "slot": self.slot,
            "switch": self.switch,
            "restarts": self.restarts,
            "staged_update": self.staged_update,
            # `summary`, from before there were titles, is the text for when a step is done.
            "steps": [
                {
                    "kind": step.kind,
                    "title": step.title,
                    "summary": step.done,
                    "credential": step.credential,
                }
                for step in self.steps
            ],
            "leftover": self.leftover,
        }


def plan_deploy(desired: DesiredState, state: NodeState, inputs: PlanInputs) -> Plan:
    """Plan a deploy.

    Raises:
        DeployError: when `--first` does not match the node, the image is for another platform, the
            node's disk is full, or the addresses of
            the app's network are in use.
    """
    was = state.release
    unchanged = Plan(desired.app, inputs.node, was, staged_update=state.staged_update)
    if state.interrupted:
        # The rest is planned from the state after the undo.
        return replace(unchanged, undo=state.interrupted.release)
    _refuse_mismatch(desired.app, was, first=inputs.first)
    found = tuple(diff(desired, state, inputs))
    if not found:
        return replace(unchanged, leftover=state.leftover)
    refuse_platform(desired.image, state)
    refuse_full_disk(desired.image, state)
    refuse_clash(desired.app, desired.subnets, state.routes)
    return replace(
        unchanged,
        changes=found,
        steps=tuple(release_steps(desired, state)),
        serving=state.slot,
        slot=other(state.slot),
        switch=desired.switch.mode,
    )


def _refuse_mismatch(app: str, release: str, *, first: bool) -> None:
    if first and release:
        raise DeployError(
            f"release {release} of {app} is on this node already",
            "run `fab deploy` without --first",
        )
    if not first and not release:
        raise DeployError(f"no release of {app} is on this node yet", "run `fab deploy --first`")
