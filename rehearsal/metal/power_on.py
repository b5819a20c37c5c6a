"""One boot of a machine: from its disk where that can be booted, else from its medium.

Runs in a mount namespace of its own, as the supervisor's child; its exit code is systemd-nspawn's.
"""

import json
import subprocess
import sys
from pathlib import Path

from rehearsal import machine, places, programs, provision, state
from rehearsal.errors import RehearsalError
from rehearsal.metal import disk, part
from rehearsal.network import INTERFACE
from rehearsal.places import Folder
from rehearsal.state import Record

MOUNTED = Path("/run/corefab-disk")  # this boot's mount namespace only
FSCK = "[Service]\nType=oneshot\nExecStart=/usr/bin/true\n"


def disk_of(folder: Folder) -> Path:
    """The file of a machine's disk."""
    return folder.path / "disk.img"


def order_of(folder: Folder) -> Path:
    """The file that says what the machine boots first: disk or medium."""
    return folder.path / "boot-order"


def image_of(folder: Folder) -> Path:
    """The link to the disk image on the medium."""
    return folder.path / "image.raw"


def main(name: str) -> int:
    """Boot, and wait for the end."""
    folder = places.folder(name)
    record = state.load(folder)
    if record is None:
        raise RehearsalError(f"there is no machine {name}")
    _forget_network()
    with disk.attached(disk_of(folder)) as device:
        boot = disk.labelled(device, "boot")
        first = order_of(folder).read_text(encoding="ascii").strip()
        if boot and first == "disk":
            return _from_disk(folder, record, device, boot.node)
        return _from_medium(folder, record, device)


def _forget_network() -> None:
    """Remove what the previous boot left in the kernel, which a real machine restarts."""
    programs.run(["nft", "flush", "ruleset"], doing="clearing the firewall")
    for link in json.loads(programs.run(["ip", "-json", "link"], doing="reading the network")):
        if link["ifname"] not in {"lo", INTERFACE}:
            programs.attempt(["ip", "link", "delete", link["ifname"]])


def _from_medium(folder: Folder, record: Record, device: Path) -> int:
    print("rehearsal: booting from the medium", flush=True)  # noqa: T201 -- this is the console
    binds = (f"--bind={device}", f"--bind-ro={image_of(folder)}:/var/lib/stand-in/image.raw")
    return _boot(folder, record, places.cache() / record.base, folder.path, binds)


def _from_disk(folder: Folder, record: Record, device: Path, boot: Path) -> int:
    print("rehearsal: booting from the disk", flush=True)  # noqa: T201
    root = disk.labelled(device, "root")
    if root is None:
        raise RehearsalError("the disk has no root file system")
    system, kernel = MOUNTED / "root", MOUNTED / "boot"
    MOUNTED.mkdir(parents=True, exist_ok=True)
    programs.run(["mount", "-t", "tmpfs", "disk", MOUNTED], doing="mounting the disk")
    for node, path in ((root.node, system), (boot, kernel)):
        path.mkdir()
        programs.run(["mount", node, path], doing="mounting the disk")
    if (kernel / "ignition.firstboot").exists():
        _first_boot(system, kernel, device)
    programs.run(["umount", kernel], doing="unmounting boot")
    binds = tuple(
        f"--bind={one.node}:{part.BY_NAME / one.name}"
        for one in disk.partitions(device)
        if one.name and one.number > root.number
    )
    return _boot(folder, record, system, system, binds)


def _first_boot(system: Path, kernel: Path, device: Path) -> None:
    """Provision as the initramfs does, from the disk alone."""
    config = kernel / "ignition" / "config.ign"
    content = provision.config(config, disks=True)
    own = Folder(system)
    provision.first_boot(own, system, content, disks=lambda found: part.part(found, device))
    fsck = own.etc / "systemd/system/systemd-fsck@.service"
    fsck.write_text(FSCK, encoding="ascii")  # it waits for a udev that no container has
    for left in (own.ignition, own.path / "ignition.json", config, kernel / "ignition.firstboot"):
        left.unlink()


def _boot(folder: Folder, record: Record, base: Path, node: Path, binds: tuple[str, ...]) -> int:
    words = [
        *(str(provision.HERE / "assemble.sh"), str(base), str(node), str(provision.ROOT)),
        *("setpriv", "--pdeathsig", "KILL", "--"),
        *machine.nspawn(folder, record.network, *binds),
    ]
    provision.ROOT.parent.mkdir(exist_ok=True)
    return subprocess.run(words, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except RehearsalError as error:
        sys.exit(f"rehearsal: {error.message}\n{error.hint}")
