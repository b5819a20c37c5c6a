"""The kinds of difference between desired state and node; each is a reason to deploy."""

from dataclasses import dataclass
from typing import Literal

from deploy.image.plan.image import short

How = Literal["added", "changed", "deleted"]
_SHOWN_OF_A_HASH = 16


@dataclass(frozen=True, slots=True)
class ImageChange:
    """Another image. `bytes` is the most that is sent, before compression.

    `patched` counts the layers that are sent as patches against a layer on the node.
    """

    name: str
    was: str
    becomes: str
    layers: int
    missing: int
    bytes: int
    patched: int = 0

    def __str__(self) -> str:
        if self.was == self.becomes:
            return f"image {short(self.becomes)} is missing on the node"
        return f"image {short(self.was) or 'none'} -> {short(self.becomes)}"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A project file added, changed or deleted; `was` and `becomes` are its hash and mode."""

    path: str
    how: How
    was: str = ""
    becomes: str = ""
    diff: str = ""

    def __str__(self) -> str:
        return f"file {self.how}: {self.path}"


@dataclass(frozen=True, slots=True)
class UnitChange(FileChange):
    """A host file of the app, such as a unit; hash, mode and owner."""

    def __str__(self) -> str:
        was, becomes = self.was.partition(" "), self.becomes.partition(" ")
        if self.how == "changed" and was[0] == becomes[0]:
            return f"unit {self.path} is {was[2]}, not {becomes[2]}"
        return f"unit {'removed' if self.how == 'deleted' else self.how}: {self.path}"


@dataclass(frozen=True, slots=True)
class CertificateChange:
    """Another certificate, by SHA-256."""

    was: str
    becomes: str

    def __str__(self) -> str:
        was, becomes = self.was[:_SHOWN_OF_A_HASH], self.becomes[:_SHOWN_OF_A_HASH]
        return f"certificate {was or 'none'} -> {becomes}"


@dataclass(frozen=True, slots=True)
class CredentialChange:
    """A credential to seal, never its value. `was` and `becomes` count how often it was sealed.

    `found` compares the node's value with ours. `asked` marks a credential that the operator
    asked to seal again.
    """

    name: str
    found: str
    was: int
    becomes: int
    asked: bool = False

    def __str__(self) -> str:
        if self.found == "unreadable":
            return f"credential {self.name} cannot be decrypted on the node"
        return f"credential {self.name} is {'to be sealed again' if self.asked else self.found}"


@dataclass(frozen=True, slots=True)
class OtherChange:
    """Any other reason to deploy: the app is down, its key file differs, `--force`."""

    text: str

    def __str__(self) -> str:
        return self.text


# One difference; its text is the reason to deploy.
Change = ImageChange | FileChange | CertificateChange | CredentialChange | OtherChange
