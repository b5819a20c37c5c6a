"""All that a deploy does to a node, as one value: shown by `fab plan`, done by `fab deploy`."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.plan.steps import Step

How = Literal["added", "changed", "deleted"]


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class ImageChange(_Value):
    """From one image to another; `bytes` to send, before compression and at the most.

    `patched` counts the layers that travel as differences from a layer of the node.
    """

    name: str
    was: str
    becomes: str
    layers: int
    missing: int
    bytes: int
    patched: int = 0


class FileChange(_Value):
    """A file that is added, changed or deleted: its marks (hash and kind), and a text's diff."""

    path: str
    how: How
    was: str = ""
    becomes: str = ""
    diff: str = ""


class CredentialChange(_Value):
    """A credential that is sealed anew: why, and the count of its sealings; never its value."""

    name: str
    found: str
    was: int
    becomes: int


class Deployment(_Value):
    """What a deploy does; nothing to do where there are no steps.

    `undo` is the release of a deploy that did not end: it is put back first, and the rest is then
    decided anew. `switch` is how visitors get to the new release, `slot` where it starts.
    `leftover` is the slot that an earlier deploy left running, where no step is left to do.
    """

    app: str
    node: str
    was: str
    undo: str
    reasons: tuple[str, ...]
    image: ImageChange | None
    units: tuple[FileChange, ...]
    files: tuple[FileChange, ...]
    certificate: tuple[str, str] | None
    credentials: tuple[CredentialChange, ...]
    firewall: str
    slot: str
    switch: str
    restarts: tuple[str, ...]
    staged_update: str
    steps: tuple[Step, ...]
    leftover: str = ""

    def __bool__(self) -> bool:
        return bool(self.steps or self.undo)
