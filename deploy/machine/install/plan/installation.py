"""Every reason not to install, and the check of what was written to the disk."""

import json
from collections.abc import Iterator
from typing import TypeAlias

from deploy.machine.install.plan.live_facts import Disk, LiveFacts
from deploy.machine.install.plan.options import Installation
from deploy.node.answer import Value

# Fedora CoreOS needs 8 GiB for its root file system, and some for the partitions before it.
SMALLEST_DISK = 10_000_000_000
_MARGIN = 1 << 20


# A reason not to install, and what to do about it.
Refusal: TypeAlias = tuple[str, str]


def refusals(wanted: Installation, facts: LiveFacts, config: bytes) -> tuple[Refusal, ...]:
    """List every reason not to write to the disk."""
    return (
        *_live_refusals(facts, config),
        *_network_refusals(wanted, facts),
        *_disk_refusals(wanted, facts),
    )


def chosen(facts: LiveFacts) -> Disk | None:
    """Find the disk that --device names, a link such as /dev/disk/by-id/… followed."""
    named = (disk for disk in facts.disks if facts.device in {disk.path, disk.kernel_path})
    return next(named, None) if facts.device else None


def _live_refusals(facts: LiveFacts, config: bytes) -> Iterator[Refusal]:
    if not facts.installer:
        yield (
            f"{facts.system} has no coreos-installer",
            "boot the machine from Fedora CoreOS's live medium (`fab iso`, `fab pxe`)",
        )
    if facts.is_installing:
        yield (
            "an installation is running on this machine",
            "wait until it ends, or stop it there: sudo systemctl stop corefab-install",
        )
    if facts.memory_free < len(config) + _MARGIN:
        yield (
            f"{facts.memory_free >> 20} MiB of memory are free in the live system",
            "the machine needs 2 GiB, or 4 GiB when it booted over the network",
        )
    version = str(json.loads(config)["ignition"]["version"])
    newest = facts.newest_spec
    if newest and tuple(map(int, version.split(".")[:2])) > newest:
        yield (
            f"the Ignition file has spec version {version}, the live system's Ignition "
            f"{facts.ignition} accepts up to {newest[0]}.{newest[1]}.0",
            "boot a newer live medium, or use an older version of the fcos variant in the overlays",
        )


def _network_refusals(wanted: Installation, facts: LiveFacts) -> Iterator[Refusal]:
    if wanted.copy_network and not facts.keyfiles:
        yield (
            "--copy-network is given, but the live system has no network configuration to copy",
            "leave it out; the installed system uses DHCP",
        )
    has_address = any(argument.startswith("ip=") for argument in wanted.append_karg)
    if facts.fixed_addresses and not (wanted.copy_network or wanted.own_network or has_address):
        yield (
            f"the live system's address {', '.join(facts.fixed_addresses)} was set by hand; the "
            "installed system would use DHCP and may get another address or none",
            "--copy-network copies the live system's configuration; --own-network says that the "
            "machine spec or a DHCP server configures the network",
        )


def _disk_refusals(wanted: Installation, facts: LiveFacts) -> Iterator[Refusal]:
    disk = chosen(facts)
    if disk is None:
        names = ", ".join(one.path for one in facts.disks) or "none"
        whole = next((one.path for one in facts.disks if facts.device in one.members), "")
        if whole:
            yield (
                f"{wanted.device} is one of several ways to the multipath disk {whole}",
                f"give that one: --device {whole}",
            )
            return
        yield (
            f"{wanted.device} is not a disk of this machine",
            f"give a whole disk with --device; this machine has: {names}",
        )
        return
    if disk.read_only:
        yield (f"{disk.path} is read-only", "remove its write protection, or choose another disk")
    for use in disk.used_by:
        yield (
            f"{disk.path} is in use: {use.text}",
            f"on the live system: {use.ended_by}; or choose another disk",
        )
    if disk.members and "rd.multipath=default" not in wanted.append_karg:
        yield (
            f"{disk.path} is a multipath disk, which the installed system would not put together",
            "add --append-karg rd.multipath=default "
            "--append-karg root=/dev/disk/by-label/dm-mpath-root --append-karg rw",
        )
    if disk.size < SMALLEST_DISK:
        yield (
            f"{disk.path} has {disk.size / 1e9:.1f} GB, Fedora CoreOS needs "
            f"{SMALLEST_DISK / 1e9:.0f}",
            "choose a larger disk",
        )
    if disk.contents and wanted.wipe not in {wanted.device, disk.path}:
        kept = f", except {', '.join(wanted.save_partlabel)}" if wanted.save_partlabel else ""
        yield (
            f"{disk.path} holds data: {', '.join(disk.contents)}",
            f"to erase all of it{kept}, name the disk again: --wipe {wanted.device}",
        )


class Written(Value):
    """What the installer wrote to a disk: kernel arguments, hash and mode of the Ignition file."""

    options: str
    sha256: str
    mode: str
    first_boot: bool


def problems_of(wanted: Installation, written: Written, sha256: str) -> tuple[str, ...]:
    """Compare what was written with the options; list the differences."""
    options = written.options.split()
    found = []
    if written.sha256 != sha256:
        found.append(f"its Ignition file has the hash {written.sha256 or '(none)'}")
    if written.mode != "600":
        found.append(f"its Ignition file has the mode {written.mode}")
    if not written.first_boot:
        found.append("it would not run Ignition: /ignition.firstboot is missing")
    consoles = [f"console={console}" for console in wanted.console]
    lacking = [one for one in wanted.append_karg if one not in options]
    # coreos-installer completes a console: ttyS0,115200 becomes ttyS0,115200n8.
    lacking += [one for one in consoles if not any(word.startswith(one) for word in options)]
    if lacking:
        found.append(f"missing kernel arguments: {' '.join(lacking)}")
    if left := [one for one in wanted.delete_karg if one in options]:
        found.append(f"kernel arguments not removed: {' '.join(left)}")
    return tuple(found)
