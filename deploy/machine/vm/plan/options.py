"""The options of `fab vm`.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass
from typing import Annotated


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
