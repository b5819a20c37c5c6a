"""The options of `fab iso`, `fab pxe` and `fab os-image`.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass
from typing import Annotated


@dataclass(frozen=True, slots=True)
class Customization:
    """What a medium does; without a device it lets us in over SSH and waits."""

    output: Annotated[str, "the file to write; below build/media"] = ""
    device: Annotated[str, "install to this disk unattended, without asking"] = ""
    console: Annotated[tuple[str, ...], "of the installed system"] = ()
    append_karg: Annotated[tuple[str, ...], "a kernel argument of the installed system"] = ()
    installer: Annotated[str, "the coreos-installer to use, if not the one on PATH"] = ""
    installer_option: Annotated[tuple[str, ...], "any other option of coreos-installer"] = ()
    force: Annotated[bool, "overwrite an output that exists"] = False


@dataclass(frozen=True, slots=True)
class OsImage:
    """Which image; `metadata`, `source` and `signature` are copies to use instead of fetching."""

    kind: Annotated[str, "iso, pxe-kernel, pxe-initramfs, pxe-rootfs, metal, qemu, …"] = "iso"
    stream: Annotated[str, "stable, testing or next"] = "stable"
    architecture: Annotated[str, "this machine's unless given"] = ""
    metadata: Annotated[str, "the stream's metadata: a file or an address"] = ""
    source: Annotated[str, "a copy of the image: a file or an address"] = ""
    signature: Annotated[str, "a copy of its signature"] = ""
    keyring: Annotated[str, "a copy of Fedora's public keys: a file or an address"] = ""
    fingerprint: Annotated[str, "of Fedora's key, for a release that corefab does not know"] = ""
