"""The options of `fab vm`.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VmOptions:
    """The options of a virtual machine."""

    image: str = field(
        default="", metadata={"help": "a Fedora CoreOS qcow2 (fab os-image --kind qemu)"}
    )
    disk: str = field(default="20G", metadata={"help": "the size of its disk"})
    memory: int = field(default=2048, metadata={"help": "its memory in megabytes"})
    cpus: int = field(default=2, metadata={"help": "its processors"})
    ssh_port: int = field(default=2222, metadata={"help": "the port here that reaches its SSH"})
    https_port: int = field(default=8443, metadata={"help": "the port here that reaches the app"})
    http_port: int = field(
        default=8080, metadata={"help": "the port here that reaches the app without TLS"}
    )
    no_tpm: bool = field(default=False, metadata={"help": "without a TPM"})
    no_kvm: bool = field(
        default=False, metadata={"help": "emulate the processor, where KVM does not work"}
    )
    qemu_option: tuple[str, ...] = field(
        default=(), metadata={"help": "a further word for QEMU; can be given several times"}
    )
    timeout: int = field(default=300, metadata={"help": "seconds to wait for its first boot"})
    dry_run: bool = field(default=False, metadata={"help": "only show the command"})
