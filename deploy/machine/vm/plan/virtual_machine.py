"""The options of `fab vm`, and the QEMU command that they make.

Only plain values: `fab --list` imports this.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from deploy.errors import DeployError

TPM_SOCKET = "tpm/socket"
# Architecture -> program, machine type and TPM device.
_MACHINES = {
    "x86_64": ("qemu-system-x86_64", "q35", "tpm-tis"),
    "aarch64": ("qemu-system-aarch64", "virt", "tpm-tis-device"),
}


@dataclass(frozen=True, slots=True)
class VmOptions:
    """The options of a virtual machine."""

    image: Annotated[str, "a Fedora CoreOS qcow2 (fab os-image --kind qemu)"] = ""
    disk: Annotated[str, "the size of its disk"] = "20G"
    memory: Annotated[int, "its memory in megabytes"] = 2048
    cpus: Annotated[int, "its processors"] = 2
    ssh_port: Annotated[int, "the port here that reaches its SSH"] = 2222
    https_port: Annotated[int, "the port here that reaches the app"] = 8443
    http_port: Annotated[int, "the port here that reaches the app without TLS"] = 8080
    no_tpm: Annotated[bool, "without a TPM"] = False
    no_kvm: Annotated[bool, "emulate the processor, where KVM does not work"] = False
    qemu_option: Annotated[tuple[str, ...], "a further word for QEMU"] = ()
    timeout: Annotated[int, "seconds to wait for its first boot"] = 300
    dry_run: Annotated[bool, "only show the command"] = False


def qemu(
    wanted: VmOptions,
    home: str,
    ports: Iterable[tuple[int, int]],
    *,
    architecture: str,
    has_kvm: bool,
) -> tuple[str, ...]:
    """Make the command of a machine in the folder `home`; `ports` are pairs (workstation, machine).

    Raises:
        DeployError: for an unknown architecture.
    """
    if architecture not in _MACHINES:
        known = ", ".join(_MACHINES)
        raise DeployError(f"unknown architecture {architecture}", f"known architectures: {known}")
    program, kind, tpm = _MACHINES[architecture]
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in ports)
    with_tpm = (
        *("-chardev", f"socket,id=tpm,path={home}/{TPM_SOCKET}"),
        *("-tpmdev", "emulator,id=tpm,chardev=tpm", "-device", f"{tpm},tpmdev=tpm"),
    )
    return (
        *(program, "-machine", f"{kind},accel={'kvm' if has_kvm else 'tcg'}"),
        *("-cpu", "host" if has_kvm else "max"),
        *("-m", str(wanted.memory), "-smp", str(wanted.cpus), "-nodefaults"),
        *("-display", "none", "-serial", f"file:{home}/console.log"),
        *("-qmp", f"unix:{home}/monitor,server=on,wait=off"),
        *("-drive", f"if=virtio,format=qcow2,file={home}/disk.qcow2"),
        *("-fw_cfg", f"name=opt/com.coreos/config,file={home}/config.ign"),
        *("-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net"),
        *("-device", "virtio-rng-pci"),
        *(() if wanted.no_tpm else with_tpm),
        *wanted.qemu_option,
    )
