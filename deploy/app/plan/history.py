"""The releases of an app: those that its node keeps, those that failed, which to roll back to."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import Field

from deploy.errors import DeployError
from deploy.node.answer import Count, Value
from deploy.node.journal import AuditLine
from deploy.node.release import Manifest, Proof


class KeptRelease(Value):
    """A release that a node keeps; `failed` when its deploy did, sizes on the node's disk."""

    manifest: Manifest
    serves: bool
    failed: bool
    bytes: Count
    image_bytes: Count


class PastRelease(Value):
    """A line of the history; `kept` tells whether the node still has the release."""

    release: str
    image: str = ""
    image_id: str = ""
    certificate: str = ""
    by: str
    commit: str
    dirty: bool
    at: datetime
    generations: dict[str, int] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    health: str = ""
    proof: Proof | None = None
    files: int = 0
    units: int = 0
    bytes: int = 0
    image_bytes: int = 0
    serves: bool = False
    failed: bool = False
    kept: bool = True
    detail: str = ""

    @property
    def result(self) -> str:
        """One word: serves, failed or proven."""
        return "serves" if self.serves else "failed" if self.failed else "proven"


def history(kept: Iterable[KeptRelease], journal: Iterable[AuditLine]) -> tuple[PastRelease, ...]:
    """List a node's releases and the deploys that failed there, the newest first."""
    found = {one.manifest.release: _past(one) for one in kept}
    for line in journal:
        if line.result != "failed" or not line.release:
            continue
        known = found.get(line.release)
        if known is None:
            found[line.release] = _failed(line)
        elif not known.serves and (known.failed or not known.health):
            # A healthy release stays healthy when a later change to it fails: a certificate, say.
            found[line.release] = known.model_copy(update={"failed": True, "detail": line.detail})
    return tuple(sorted(found.values(), key=lambda one: one.release, reverse=True))


def rollback_target(kept: tuple[KeptRelease, ...], serving: str, named: str) -> Manifest:
    """Choose the release to roll back to: the one named, else the last good one before `serving`.

    Raises:
        DeployError: when there is none, or the one named failed, serves, or is unknown.
    """
    good = {one.manifest.release: one.manifest for one in kept if not one.failed}
    others = ", ".join(release for release in good if release != serving) or "none"
    hint = f"releases to roll back to: {others}"
    if not named:
        before = [release for release in sorted(good) if release < serving]
        if not before:
            raise DeployError(f"there is no release before {serving or 'the first'}", hint)
        return good[before[-1]]
    if named == serving:
        raise DeployError(f"release {named} serves already", hint)
    if any(one.failed and one.manifest.release == named for one in kept):
        raise DeployError(f"release {named} failed, and cannot be rolled back to", hint)
    if named not in good:
        raise DeployError(f"release {named} is not on the node", hint)
    return good[named]


def _past(kept: KeptRelease) -> PastRelease:
    manifest = kept.manifest
    counts = {"files": len(manifest.files), "units": len(manifest.units)}
    rest = kept.model_dump(exclude={"manifest"})
    return PastRelease.model_validate(manifest.model_dump() | counts | rest)


def _failed(line: AuditLine) -> PastRelease:
    return PastRelease(
        release=line.release,
        image_id=line.image,
        by=line.who,
        commit=line.commit,
        dirty=line.dirty,
        at=line.at,
        failed=True,
        kept=False,
        detail=line.detail,
    )
