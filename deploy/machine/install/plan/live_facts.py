"""The live system that a machine is installed from, as the script `live-facts` reports it."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from deploy.machine.install.plan.disk import Disk, read_disks
from deploy.node.answer import Count, Value

# The first Ignition release that accepts a spec version (its release notes).
_SPEC_SINCE = {
    (3, 6): (2, 26),
    (3, 5): (2, 20),
    (3, 4): (2, 15),
    (3, 3): (2, 11),
    (3, 2): (2, 7),
    (3, 1): (2, 3),
    (3, 0): (2, 0),
}


def _from_lsblk(value: Any) -> Any:
    """Parse the output of lsblk; leave disks as they are."""
    if not isinstance(value, dict):
        return value
    try:
        return read_disks(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the output of lsblk --json: {error!r}") from error


class LiveFacts(Value):
    """What a live system is and has; `device` is the disk that --device means, links followed."""

    boot_id: str
    system: str
    is_installing: bool
    installer: str
    ignition: Annotated[str, Field(max_length=100)]
    memory_free: Count
    keyfiles: tuple[str, ...]
    fixed_addresses: tuple[str, ...]
    disks: Annotated[tuple[Disk, ...], BeforeValidator(_from_lsblk)]
    device: str

    @property
    def newest_spec(self) -> tuple[int, int] | None:
        """The newest Ignition spec it accepts; None when its Ignition version is unknown."""
        if not self.ignition:
            return None
        numbers = tuple(int(word) for word in self.ignition.split(".")[:2] if word.isdecimal())
        return next((spec for spec, since in _SPEC_SINCE.items() if numbers >= since), (3, 0))
