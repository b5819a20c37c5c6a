"""The live system that a machine is installed from, as one probe's answer tells of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

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


def read_medium(text: str) -> Medium:
    """Read what the probe printed."""
    said: Mapping[str, object] = json.loads(text)
    lsblk, keyfiles, fixed = said["lsblk"], said["keyfiles"], said["fixed_addresses"]
    assert isinstance(lsblk, dict)  # noqa: S101 -- our own script wrote it
    assert isinstance(keyfiles, list)  # noqa: S101
    assert isinstance(fixed, list)  # noqa: S101
    return Medium(
        boot_id=str(said["boot_id"]),
        system=str(said["system"]),
        is_live=bool(said["live"]),
        is_installing=bool(said["installing"]),
        installer=str(said["installer"]),
        ignition=str(said["ignition"]),
        memory_free=int(str(said["memory_free"])),
        keyfiles=tuple(str(one) for one in keyfiles),
        fixed_addresses=tuple(str(one) for one in fixed),
        disks=read_disks(lsblk),
        device=str(said["device"]),
    )
