"""The whole way of a machine: prepare, install, first boot, deploy, a page; and once more."""

import re

import pytest

from rehearsal.metal import lifecycle as metal
from tests.install.machine import Installed

pytestmark = pytest.mark.install
NETWORK = "--own-network"


def test_a_machine_is_installed_serves_a_page_and_keeps_its_data_when_installed_again(
    machine: Installed,
) -> None:
    _nothing_is_written_before_every_check_has_passed(machine)
    _it_is_installed(machine)
    _it_serves(machine)
    kept = f"/var/lib/{machine.app}/data/kept.txt"
    mounted = machine.ssh(f"findmnt --noheadings --output FSTYPE {kept.rpartition('/')[0]}")
    assert mounted == "xfs\n", "the data lies on the system's own file system"
    machine.ssh(f"echo cake >{kept}; chown {machine.app}: {kept}")

    _a_second_time_needs_the_disk_named_twice_and_a_boot_order(machine)

    said = machine.must_rebuild(*_the_disk(machine), NETWORK, "--wipe", machine.device)
    assert "keeping the data partition kept-data" in said
    assert re.search(r"rebuilt in \d+\.\d minutes", said)
    assert machine.page()[0] == 200
    assert machine.ssh(f"cat {kept}; stat -c %U {kept}") == f"cake\n{machine.app}\n"


def _the_disk(machine: Installed) -> tuple[str, str]:
    return "--device", machine.device


def _nothing_is_written_before_every_check_has_passed(machine: Installed) -> None:
    device = machine.device
    refused = machine.install("--device", "/dev/nothing")
    assert refused.code == 1
    assert "/dev/nothing is not a disk of this machine" in refused.out
    assert "was set by hand" in refused.out
    assert device in refused.out

    shown = machine.must_install("--device", device, NETWORK, "--dry-run")
    assert f"coreos-installer install {device} --ignition-file=/run/" in shown

    wrong = machine.install("--device", device, NETWORK, "--installer-option=--nonsense")
    assert wrong.code == 1
    assert "nothing was written: fix the cause" in wrong.out
    assert machine.ssh(f"lsblk --noheadings --output NAME {device} | wc -l", live=True) == "1\n"


def _it_is_installed(machine: Installed) -> None:
    said = machine.must_install(
        *(*_the_disk(machine), "--copy-network"),
        *("--append-karg", "mitigations=auto", "--console", "ttyS0,115200"),
    )
    assert "verified: Ignition file and kernel arguments" in said
    assert f"next: fab -H core@{machine.address} deploy --first" in said
    with metal.boot_files(machine.name) as boot:
        entry = (boot / "loader/entries/ostree-1.conf").read_text()
        assert "mitigations=auto" in entry
        assert "console=ttyS0,115200" in entry
        assert "serial" in (boot / "grub2/console.cfg").read_text()
        # The first boot ran Ignition and forgot its file, host key and all.
        assert not (boot / "ignition.firstboot").exists()
        assert not (boot / "ignition/config.ign").exists()


def _it_serves(machine: Installed) -> None:
    machine.fab("deploy", "--first")
    status, page = machine.page()
    assert status == 200
    assert "<h2>" in page


def _a_second_time_needs_the_disk_named_twice_and_a_boot_order(machine: Installed) -> None:
    metal.boot_order(machine.name, "medium")
    metal.restart(machine.name)
    refused = machine.install(*_the_disk(machine), NETWORK)
    assert refused.code == 1
    assert "boot ext4, root ext4, kept-data xfs" in refused.out
    assert "keeping the data partition kept-data" in refused.out
    assert "except kept-data, name the disk again" in refused.out
    assert f"--wipe {machine.device}" in refused.out

    landed = machine.install(*_the_disk(machine), NETWORK, "--wipe", machine.device)
    assert landed.code == 1
    assert "booted its live medium again" in landed.out
    metal.boot_order(machine.name, "disk")
