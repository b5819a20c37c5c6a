"""What `fab install` does to a machine: the exact command, and every reason not to."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from deploy.machine.install.plan.disk import Disk
from deploy.machine.install.plan.live_facts import Medium
from deploy.machine.install.plan.options import Installation

# What Fedora CoreOS asks for: 8 GiB of root file system, and what comes before it.
SMALLEST_DISK = 10_000_000_000
_MARGIN = 1 << 20


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reason not to install, and what to do about it."""

    reason: str
    remedy: str


def refusals(wanted: Installation, medium: Medium, config: bytes) -> tuple[Refusal, ...]:
    """List every reason not to write; empty means that all is well."""
    disk = chosen(medium)
    found = [*_medium_refusals(medium, config), *_network_refusals(wanted, medium)]
    if disk is None:
        names = ", ".join(one.path for one in medium.disks) or "none"
        remedy = f"give a whole disk with --device; this machine has: {names}"
        found.append(Refusal(f"{wanted.device} is no disk of this machine", remedy))
        return tuple(found)
    return (*found, *_disk_refusals(wanted, disk))


def chosen(medium: Medium) -> Disk | None:
    """Find the disk that --device names, a link such as /dev/disk/by-id/… followed."""
    return next((disk for disk in medium.disks if disk.path == medium.device), None)


def _medium_refusals(medium: Medium, config: bytes) -> Iterator[Refusal]:
    if not medium.installer:
        yield Refusal(
            f"{medium.system} has no coreos-installer",
            "boot the machine from Fedora CoreOS's live medium (`fab iso`, `fab pxe`)",
        )
    if medium.is_installing:
        yield Refusal(
            "an installation is running on this machine",
            "wait for its end, or end it there: sudo systemctl stop corefab-install",
        )
    if medium.memory_free < len(config) + _MARGIN:
        yield Refusal(
            f"{medium.memory_free >> 20} MiB are free in the medium's memory",
            "the machine needs 2 GiB, 4 when its medium came over the network whole",
        )
    spec, newest = _spec(config), medium.newest_spec
    if newest and spec > newest:
        yield Refusal(
            f"the Ignition file is of spec {_dotted(spec)}.0, "
            f"the medium's Ignition {medium.ignition} reads up to {_dotted(newest)}.0",
            "boot a newer medium, or use an older version of Butane's fcos variant in the overlays",
        )


def _network_refusals(wanted: Installation, medium: Medium) -> Iterator[Refusal]:
    if wanted.copy_network and not medium.keyfiles:
        yield Refusal(
            "--copy-network, and the medium has no network configuration to copy",
            "leave it out; the installed system asks DHCP",
        )
    said = (wanted.copy_network, wanted.own_network, _has_network(wanted))
    if medium.fixed_addresses and not any(said):
        yield Refusal(
            f"the medium's address {', '.join(medium.fixed_addresses)} was set by hand; the "
            "installed system would ask DHCP and may come up elsewhere or nowhere",
            "--copy-network takes the medium's configuration along; --own-network says that the "
            "machine spec or a DHCP server sees to it",
        )


def _has_network(wanted: Installation) -> bool:
    return any(argument.startswith("ip=") for argument in wanted.append_karg)


def _disk_refusals(wanted: Installation, disk: Disk) -> Iterator[Refusal]:
    if disk.read_only:
        yield Refusal(f"{disk.path} is read-only", "look for a write protection, or take another")
    for user in disk.used_by:
        yield Refusal(f"{disk.path} is in use: {user}", "unmount it, or take another disk")
    if disk.size < SMALLEST_DISK:
        yield Refusal(
            f"{disk.path} has {disk.size / 1e9:.1f} GB, Fedora CoreOS needs "
            f"{SMALLEST_DISK / 1e9:.0f}",
            "take a larger disk",
        )
    if not disk.is_empty and wanted.wipe not in {wanted.device, disk.path}:
        kept = f", except {', '.join(wanted.save_partlabel)}" if wanted.save_partlabel else ""
        yield Refusal(
            f"{disk.path} holds data: {', '.join(disk.contents)}",
            f"to lose all of it{kept}, name it again: --wipe {wanted.device}",
        )


class Written(BaseModel):
    """What lies on a disk after the installer: kernel arguments, and the Ignition file's marks."""

    model_config = ConfigDict(frozen=True)
    options: str
    sha256: str
    mode: str
    first_boot: bool


def problems_of(wanted: Installation, written: Written, sha256: str) -> tuple[str, ...]:
    """Compare what lies on the disk with what was asked for; empty when it is the same."""
    options = written.options.split()
    found = []
    if written.sha256 != sha256:
        found.append(f"the Ignition file on it has the hash {written.sha256 or '(none)'}")
    if written.mode != "600":
        found.append(f"the Ignition file on it has the mode {written.mode}")
    if not written.first_boot:
        found.append("it would not run Ignition: /ignition.firstboot is missing")
    consoles = [f"console={console}" for console in wanted.console]
    lacking = [one for one in wanted.append_karg if one not in options]
    lacking += [one for one in consoles if not _is_prefix(one, options)]
    if lacking:
        found.append(f"kernel arguments missing on it: {' '.join(lacking)}")
    if left := [one for one in wanted.delete_karg if one in options]:
        found.append(f"kernel arguments left on it: {' '.join(left)}")
    return tuple(found)


def _is_prefix(argument: str, options: list[str]) -> bool:
    # coreos-installer completes a console's mode: ttyS0,115200 becomes ttyS0,115200n8.
    return any(one.startswith(argument) for one in options)


def spec_of(config: bytes) -> str:
    """Read the spec version of an Ignition file."""
    return f"{_dotted(_spec(config))}.0"


def _spec(config: bytes) -> tuple[int, int]:
    major, minor, *_ = str(json.loads(config)["ignition"]["version"]).split(".")
    return int(major), int(minor)


def _dotted(numbers: tuple[int, int]) -> str:
    return f"{numbers[0]}.{numbers[1]}"
