"""The releases of an app: those that its node keeps, and those that failed there."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from deploy.app.plan.kept import Kept
from deploy.node.journal import AuditLine


class PastRelease(BaseModel):
    """A release: sizes in bytes, counts of files; `kept` tells whether the node still has it."""

    model_config = ConfigDict(frozen=True)
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


def history(kept: Iterable[Kept], journal: Iterable[AuditLine]) -> tuple[PastRelease, ...]:
    """Put a node's releases and the deploys that failed in one list, the newest first."""
    found = {one.manifest.release: _past(one) for one in kept}
    for line in journal:
        if line.result != "failed" or not line.release:
            continue
        known = found.get(line.release)
        if known is None:
            found[line.release] = _failed(line)
        elif not known.serves and (known.failed or not known.health):
            # What was proven may have failed at something else since: at a new certificate, say.
            found[line.release] = known.model_copy(update={"failed": True, "detail": line.detail})
    return tuple(sorted(found.values(), key=lambda one: one.release, reverse=True))


def _past(kept: Kept) -> PastRelease:
    manifest = kept.manifest
    counts = {"files": len(manifest.files), "units": len(manifest.units)}
    told = kept.model_dump(exclude={"manifest"})
    return PastRelease.model_validate(manifest.model_dump() | counts | told)


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
