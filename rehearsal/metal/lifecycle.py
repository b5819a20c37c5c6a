"""Start a machine with an empty disk, set its boot order, restart it, read its disk."""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from rehearsal import lifecycle, machine, places, programs, provision, ready, state, stock
from rehearsal.errors import RehearsalError
from rehearsal.metal import disk, image
from rehearsal.metal.power_on import disk_of, image_of, order_of
from rehearsal.places import Folder
from rehearsal.ready import Login

MEDIUM = Path(__file__).parent / "medium"
ROOT = Path(__file__).parents[2]
DISK_BYTES = 12 << 30  # sparse
NEEDED = ("sfdisk", "mkfs.ext4", "mkfs.xfs", "partx", "blkid", "losetup")
_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Machine:
    """The parts of a machine: a medium's Ignition file and installer, an empty disk.

    It belongs to the operator's folder `owner`.
    """

    name: str
    owner: Path
    live: Path
    installer: Path
    identity: Path

    @property
    def folder(self) -> Folder:
        """The folder of the machine's files."""
        return places.folder(self.name)


def up(made_of: Machine, *, on_step: Callable[[str], None] = lambda _: None) -> str:
    """Switch on a machine, which boots its medium; replaces one of that folder and name.

    Returns its address, once the medium lets `core` in.
    """
    folder = made_of.folder
    _require()
    content = provision.config(made_of.live)
    base = stock.tree(on_step)
    with folder.alone():
        lifecycle.make_way(folder, made_of.owner, on_step)
        try:
            _assemble(made_of, base)
            return _switch_on(made_of, base, content)
        except BaseException:
            lifecycle.remove(folder)
            raise


def boot_order(name: str, first: Literal["disk", "medium"]) -> None:
    """Set what the machine boots first; an empty disk is skipped."""
    order_of(places.folder(name)).write_text(f"{first}\n", encoding="ascii")


def restart(name: str) -> None:
    """Restart a machine as `systemctl reboot` does, and wait until sshd greets again."""
    folder = places.folder(name)
    record = state.load(folder)
    if record is None or not machine.running(folder):
        raise RehearsalError(f"there is no machine {name} running")
    ready.reboot(folder, record.network, Login())


@contextmanager
def boot_files(name: str) -> Iterator[Path]:
    """Mount the boot file system of a machine's disk, read-only."""
    with (
        disk.attached(disk_of(places.folder(name))) as device,
        tempfile.TemporaryDirectory() as mounted,
    ):
        boot = disk.labelled(device, "boot")
        if boot is None:
            raise RehearsalError(f"the disk of {name} has no boot file system")
        words: list[str | Path] = ["mount", "-o", "ro", boot.node, mounted]
        programs.run(words, doing="mounting boot")
        try:
            yield Path(mounted)
        finally:
            programs.run(["umount", mounted], doing="unmounting boot")


def _require() -> None:
    programs.require()
    lacking = [name for name in NEEDED if shutil.which(name) is None]
    if lacking:
        raise RehearsalError(
            f"a machine with a disk needs {', '.join(lacking)}",
            "install what is missing: scripts/system-packages --installer",
        )


def _assemble(made_of: Machine, base: Path) -> None:
    places.require_space(places.cache(), _BYTES)
    places.require_layers(places.cache())
    folder = made_of.folder
    folder.path.mkdir(mode=0o700, parents=True)
    with disk_of(folder).open("wb") as file:
        file.truncate(DISK_BYTES)
    order_of(folder).write_text("disk\n", encoding="ascii")
    image_of(folder).symlink_to(image.image(base))


def _switch_on(made_of: Machine, base: Path, content: bytes) -> str:
    began = time.monotonic()
    folder = made_of.folder
    record = lifecycle.claim_network(folder, made_of.owner, base)
    joined = record.network
    provision.provision(folder, base, content)
    _fit_out(folder, made_of.installer)
    boot = ["unshare", "--mount", "--propagation", "private", "--"]
    boot += [sys.executable, "-m", "rehearsal.metal.power_on", folder.name]
    env = {"PYTHONPATH": str(ROOT)}
    machine.launch(folder, joined, machine.supervised(folder, joined, boot), env=env)
    machine.await_start(folder)
    port = ready.wait(folder, joined, Login("core", made_of.identity))
    taken = round(time.monotonic() - began, 2)
    state.save(folder, replace(record, seconds=taken, port=port, ready=True))
    return str(joined.address)


def _fit_out(folder: Folder, installer: Path) -> None:
    """Add to the medium what a real one has and a node lacks."""
    programs_folder = folder.var / "usrlocal/bin"
    for source in (installer, MEDIUM / "udevadm", MEDIUM / "rpm"):
        shutil.copy2(source, programs_folder / source.name)
    shutil.copy2(MEDIUM / "live.conf", folder.etc / "tmpfiles.d/live.conf")
    unit = folder.etc / "systemd/system/settle.service"
    shutil.copy2(MEDIUM / "settle.service", unit)
    wants = unit.parent / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / unit.name).symlink_to(f"../{unit.name}")
