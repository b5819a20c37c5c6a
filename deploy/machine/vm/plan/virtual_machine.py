"""The QEMU command of a virtual machine with an Ignition file."""

from dataclasses import dataclass

from deploy.errors import DeployError

# Architecture -> program and machine type.
_MACHINES = {
    "x86_64": ("qemu-system-x86_64", "q35"),
    "aarch64": ("qemu-system-aarch64", "virt"),
}
_TPM = {"x86_64": "tpm-tis", "aarch64": "tpm-tis-device"}


@dataclass(frozen=True, slots=True)
class VirtualMachine:
    """The parts of a virtual machine; `ports` are pairs (workstation, machine)."""

    architecture: str
    disk: str
    config: str
    serial: str
    monitor: str
    memory_megabytes: int
    cpus: int
    has_kvm: bool
    ports: tuple[tuple[int, int], ...]
    tpm: str = ""
    more: tuple[str, ...] = ()


def qemu(machine: VirtualMachine) -> tuple[str, ...]:
    """Make the command.

    Raises:
        DeployError: for an unknown architecture.
    """
    if machine.architecture not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise DeployError(
            f"unknown architecture {machine.architecture}", f"known architectures: {known}"
        )
    program, kind = _MACHINES[machine.architecture]
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in machine.ports)
    return (
        *(program, "-machine", f"{kind},accel={'kvm' if machine.has_kvm else 'tcg'}"),
        *("-cpu", "host" if machine.has_kvm else "max"),
        *("-m", str(machine.memory_megabytes), "-smp", str(machine.cpus), "-nodefaults"),
        *("-display", "none", "-serial", f"file:{machine.serial}"),
        *("-qmp", f"unix:{machine.monitor},server=on,wait=off"),
        *("-drive", f"if=virtio,format=qcow2,file={machine.disk}"),
        *("-fw_cfg", f"name=opt/com.coreos/config,file={machine.config}"),
        *("-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net"),
        *("-device", "virtio-rng-pci"),
        *_tpm(machine),
        *machine.more,
    )


def _tpm(machine: VirtualMachine) -> tuple[str, ...]:
    if not machine.tpm:
        return ()
    return (
        *("-chardev", f"socket,id=tpm,path={machine.tpm}"),
        *("-tpmdev", "emulator,id=tpm,chardev=tpm"),
        *("-device", f"{_TPM[machine.architecture]},tpmdev=tpm"),
    )
