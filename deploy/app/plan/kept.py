"""The releases that a node keeps, and which of them a rollback goes to."""

from pydantic import BaseModel, ConfigDict

from deploy.errors import DeployError
from deploy.node.release import Manifest


class Kept(BaseModel):
    """A release on a node: its manifest, whether it serves or its deploy failed, and its bytes."""

    model_config = ConfigDict(frozen=True)
    manifest: Manifest
    serves: bool
    failed: bool
    bytes: int
    image_bytes: int


def choose(kept: tuple[Kept, ...], serving: str, wanted: str) -> Manifest:
    """Choose the release to go back to: the one named, else the last that served before.

    Raises:
        DeployError: when there is none, or the one named failed, serves, or is unknown.
    """
    good = {one.manifest.release: one.manifest for one in kept if not one.failed}
    named = ", ".join(release for release in good if release != serving) or "none"
    hint = f"the releases to go back to are: {named}"
    if not wanted:
        before = [release for release in sorted(good) if release < serving]
        if not before:
            raise DeployError(f"there is no release before {serving or 'the first'}", hint)
        return good[before[-1]]
    if wanted == serving:
        raise DeployError(f"release {wanted} serves already", hint)
    if any(one.failed and one.manifest.release == wanted for one in kept):
        raise DeployError(f"release {wanted} failed, and is never tried again by itself", hint)
    if wanted not in good:
        raise DeployError(f"release {wanted} is not on the node", hint)
    return good[wanted]
