"""The state of a node, as the script `inspect` reports it."""

from typing import Literal

from deploy.node.answer import Count, Mode, Seconds, Value
from deploy.node.holdings import AuthorizedKey, SealedCredential
from deploy.node.release import Manifest


class FoundPlace(Value):
    """A path; times in seconds since 1970, for an absent one those of the folder above."""

    kind: Literal["file", "folder", "link", "absent"]
    mode: Mode
    owner: str
    mtime: Seconds
    ctime: Seconds
    target: str
    sha256: str


class FoundUser(Value):
    """A user of the spec: home folder and groups on the node."""

    home: str
    groups: tuple[str, ...]


class FoundUnit(Value):
    """What `systemctl is-enabled` and `is-active` print for a unit."""

    enabled: str
    active: str


class FoundFile(Value):
    """A project file of the serving release; `kind` as find's `%y`."""

    kind: str
    mode: Mode
    mtime: Seconds
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
    created: Seconds


class Inspection(Value):
    """A node's state; `clock` is the node's time, `claimed` are the host files of all its apps."""

    clock: Seconds
    spec_hash: str
    manifest: Manifest | None
    staged: dict[str, str]
    claimed: frozenset[str]
    paths: dict[str, FoundPlace]
    users: dict[str, FoundUser]
    keys: tuple[AuthorizedKey, ...]
    units: dict[str, FoundUnit]
    sysctl: dict[str, str]
    firewall: tuple[str, ...]
    strays: dict[str, Seconds]
    credentials: tuple[SealedCredential, ...]
    files: dict[str, FoundFile]
    people: tuple[FoundPerson, ...]
    containers: tuple[FoundContainer, ...]
    kernel_arguments: tuple[str, ...]

    def since(self, held: AuthorizedKey | SealedCredential) -> int:
        """Compute when something last changed, in seconds since 1970."""
        return self.clock - held.age_seconds
