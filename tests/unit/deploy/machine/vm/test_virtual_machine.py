"""The exact command for QEMU."""

import pytest

from deploy.errors import DeployError
from deploy.machine.vm.plan.virtual_machine import VmOptions, qemu

USUAL = VmOptions()


def command(
    wanted: VmOptions = USUAL, *, architecture: str = "x86_64", has_kvm: bool = True
) -> tuple[str, ...]:
    ports = ((2222, 22), (8443, 443))
    return qemu(wanted, "vm", ports, architecture=architecture, has_kvm=has_kvm)


def test_the_command_hands_ignition_over_by_firmware_and_forwards_ports_on_loopback() -> None:
    assert command() == (
        *("qemu-system-x86_64", "-machine", "q35,accel=kvm", "-cpu", "host"),
        *("-m", "2048", "-smp", "2", "-nodefaults", "-display", "none"),
        *("-serial", "file:vm/console.log", "-qmp", "unix:vm/monitor,server=on,wait=off"),
        *("-drive", "if=virtio,format=qcow2,file=vm/disk.qcow2"),
        *("-fw_cfg", "name=opt/com.coreos/config,file=vm/config.ign"),
        "-netdev",
        "user,id=net,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:8443-:443",
        *("-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"),
        *("-chardev", "socket,id=tpm,path=vm/tpm/socket", "-tpmdev", "emulator,id=tpm,chardev=tpm"),
        *("-device", "tpm-tis,tpmdev=tpm"),
    )


def test_without_kvm_it_emulates_and_without_a_tpm_it_has_none() -> None:
    words = command(VmOptions(no_tpm=True, qemu_option=("-snapshot",)), has_kvm=False)

    assert "q35,accel=tcg" in words
    assert "max" in words
    assert not any("tpm" in word for word in words)
    assert words[-1] == "-snapshot"


def test_another_architecture_has_another_machine() -> None:
    words = command(architecture="aarch64")

    assert words[:3] == ("qemu-system-aarch64", "-machine", "virt,accel=kvm")
    assert "tpm-tis-device,tpmdev=tpm" in words
    with pytest.raises(DeployError, match="riscv64"):
        command(architecture="riscv64")
