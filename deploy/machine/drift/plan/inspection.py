"""What a node is, as `inspect` finds it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from deploy.node.holdings import AuthorizedKey, SealedCredential
from deploy.node.release import Manifest


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True)


class FoundPlace(_Value):
    """A path as it is; times in seconds since 1970, of the folder above for an absent one."""

    kind: Literal["file", "folder", "link", "absent"]
    mode: str
    owner: str
    mtime: int
    ctime: int
    target: str
    sha256: str


class FoundUser(_Value):
    """A user as the node has it."""

    home: str
    groups: tuple[str, ...]


class FoundUnit(_Value):
    """A unit's words of `systemctl is-enabled` and `is-active`."""

    enabled: str
    active: str


class FoundFile(_Value):
    """A project file of the serving release; `kind` as find's `%y`."""

    kind: str
    mode: str
    mtime: int
    target: str
    sha256: str

    @property
    def mark(self) -> str:
        """The mark that a manifest has of such a file."""
        if self.kind == "l":
            return f"link {self.target}"
        return f"{self.sha256} x" if int(self.mode, 8) & 0o100 else self.sha256


class FoundPerson(_Value):
    """A line of the node's users."""

    name: str
    uid: int
    login_shell: str


class FoundContainer(_Value):
    """A container in the app's name space; `unit` is the one that Quadlet made it for."""

    name: str
    image: str
    state: str
    unit: str
    created: int


class Inspection(_Value):
    """A node's answer; `clock` is its own, `claimed` are the host files of every app's release."""

    clock: int
    mark: str
    manifest: Manifest | None
    staged: dict[str, str]
    claimed: frozenset[str]
    paths: dict[str, FoundPlace]
    users: dict[str, FoundUser]
    keys: tuple[AuthorizedKey, ...]
    units: dict[str, FoundUnit]
    sysctl: dict[str, str]
    firewall: tuple[str, ...]
    strays: dict[str, int]
    credentials: tuple[SealedCredential, ...]
    files: dict[str, FoundFile]
    people: tuple[FoundPerson, ...]
    containers: tuple[FoundContainer, ...]
    kernel_arguments: tuple[str, ...]

    def since(self, held: AuthorizedKey | SealedCredential) -> int:
        """Tell when something was last changed, in seconds since 1970."""
        return self.clock - held.age_seconds
