"""The state of a node, as the script `inspect` reports it."""

from datetime import datetime, timedelta
from typing import Literal

from deploy.node.answer import Count, Mode, Moment, Value
from deploy.node.holdings import AuthorizedKey, SealedCredential
from deploy.node.release import Manifest


class FoundPlace(Value):
    """A path; an absent one has the times of the folder above."""

    kind: Literal["file", "folder", "link", "absent"]
    mode: Mode
    owner: str
    mtime: Moment
    ctime: Moment
    target: str
    sha256: str


class FoundFile(Value):
    """A project file of the serving release; `kind` as find's `%y`."""

    kind: str
    mode: Mode
    mtime: Moment
    target: str
    sha256: str

    @property
    def fingerprint(self) -> str:
        """The fingerprint that a manifest has of such a file."""
        if self.kind == "l":
            return f"link {self.target}"
        return f"{self.sha256} x" if int(self.mode or "0", 8) & 0o100 else self.sha256


class FoundPerson(Value):
    """A line of the node's passwd database."""

    name: str
    uid: Count
    login_shell: str


class FoundContainer(Value):
    """A container whose name starts with the app's; `unit` is the service that runs it."""

    name: str
    image: str
    state: str
    unit: str
    created: Moment


class Inspection(Value):
    """A node's state; `claimed` are the host files of all its apps.

    `clock` is the node's time, `groups` has those of each user, `units` what `systemctl is-enabled`
    prints.
    """

    clock: Moment
    manifest: Manifest | None
    staged: dict[str, str]
    claimed: frozenset[str]
    paths: dict[str, FoundPlace]
    groups: dict[str, tuple[str, ...]]
    keys: tuple[AuthorizedKey, ...]
    units: dict[str, str]
    sysctl: dict[str, str]
    firewall: tuple[str, ...]
    strays: dict[str, Moment]
    credentials: tuple[SealedCredential, ...]
    files: dict[str, FoundFile]
    people: tuple[FoundPerson, ...]
    containers: tuple[FoundContainer, ...]
    kernel_arguments: tuple[str, ...]

    def since(self, held: AuthorizedKey | SealedCredential) -> datetime:
        """Compute when something last changed."""
        return self.clock - timedelta(seconds=held.age_seconds)
