"""The options of `fab iso`, `fab pxe` and `fab os-image`.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Customization:
    """What a medium does; without a device it lets us in over SSH and waits."""

    output: str = field(default="", metadata={"help": "the file to write; below build/media"})
    device: str = field(
        default="", metadata={"help": "install to this disk unattended, without asking"}
    )
    console: tuple[str, ...] = field(
        default=(), metadata={"help": "of the installed system; can be given several times"}
    )
    append_karg: tuple[str, ...] = field(
        default=(),
        metadata={"help": "a kernel argument of the installed system; can be given several times"},
    )
    installer: str = field(
        default="", metadata={"help": "the coreos-installer to use, if not the one on PATH"}
    )
    installer_option: tuple[str, ...] = field(
        default=(),
        metadata={"help": "any other option of coreos-installer; can be given several times"},
    )
    force: bool = field(default=False, metadata={"help": "overwrite an output that exists"})


@dataclass(frozen=True, slots=True)
class OsImage:
    """Which image; `metadata`, `source` and `signature` are copies to use instead of fetching."""

    kind: str = field(
        default="iso",
        metadata={"help": "iso, pxe-kernel, pxe-initramfs, pxe-rootfs, metal, qemu, …"},
    )
    stream: str = field(default="stable", metadata={"help": "stable, testing or next"})
    architecture: str = field(default="", metadata={"help": "this machine's unless given"})
    metadata: str = field(
        default="", metadata={"help": "the stream's metadata: a file or an address"}
    )
    source: str = field(default="", metadata={"help": "a copy of the image: a file or an address"})
    signature: str = field(default="", metadata={"help": "a copy of its signature"})
    keyring: str = field(
        default="", metadata={"help": "Fedora's public keys, to check the signature with"}
    )
