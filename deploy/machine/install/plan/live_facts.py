"""The live system that a machine is installed from, as one probe's answer tells of it."""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from deploy.machine.install.plan.disk import Disk, read_disks

# The first Ignition release that reads a spec without complaint (its release notes).
_SPEC_SINCE = {
    (3, 6): (2, 26),
    (3, 5): (2, 20),
    (3, 4): (2, 15),
    (3, 3): (2, 11),
    (3, 2): (2, 7),
    (3, 1): (2, 3),
    (3, 0): (2, 0),
}


@dataclass(frozen=True, slots=True)
class Medium:
    """What a live system is and has."""

    boot_id: str
    system: str
    is_live: bool
    is_installing: bool
    installer: str
    ignition: str
    memory_free: int
    keyfiles: tuple[str, ...]
    fixed_addresses: tuple[str, ...]
    disks: tuple[Disk, ...]
    device: str

    @property
    def newest_spec(self) -> tuple[int, int] | None:
        """The newest Ignition spec it reads; None when its Ignition is not known."""
        if not self.ignition:
            return None
        numbers = tuple(int(word) for word in self.ignition.split(".")[:2] if word.isdecimal())
        return next((spec for spec, since in _SPEC_SINCE.items() if numbers >= since), (3, 0))


class LiveAnswer(BaseModel):
    """The answer of a live system to the script `medium`; `lsblk` as that program writes it."""

    model_config = ConfigDict(frozen=True)
    boot_id: str
    system: str
    live: bool
    installing: bool
    installer: str
    ignition: str
    memory_free: int
    keyfiles: tuple[str, ...]
    fixed_addresses: tuple[str, ...]
    lsblk: dict[str, Any]
    device: str


def read_medium(said: LiveAnswer) -> Medium:
    """Take a live system's answer; its disks are read from lsblk's words."""
    return Medium(
        boot_id=said.boot_id,
        system=said.system,
        is_live=said.live,
        is_installing=said.installing,
        installer=said.installer,
        ignition=said.ignition,
        memory_free=said.memory_free,
        keyfiles=said.keyfiles,
        fixed_addresses=said.fixed_addresses,
        disks=read_disks(said.lsblk),
        device=said.device,
    )
