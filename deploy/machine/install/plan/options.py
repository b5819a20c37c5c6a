"""The options of `fab install`, and the coreos-installer command that they make.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass, field

# In the live system's memory; a file, because coreos-installer reads it twice.
CONFIG = "/run/corefab-install/config.ign"


@dataclass(frozen=True, slots=True)
class Installation:
    """The options of an installation, named as coreos-installer names them."""

    device: str = field(
        default="", metadata={"help": "the disk to install to; asked for if not given"}
    )
    wipe: str = field(default="", metadata={"help": "the same disk again, when it holds data"})
    copy_network: bool = field(
        default=False, metadata={"help": "take the medium's network configuration along"}
    )
    own_network: bool = field(
        default=False, metadata={"help": "the installed system finds its address by itself"}
    )
    network_dir: str = field(
        default="", metadata={"help": "where that configuration lies on the medium"}
    )
    console: tuple[str, ...] = field(
        default=(), metadata={"help": "such as ttyS0,115200; can be given several times"}
    )
    append_karg: tuple[str, ...] = field(
        default=(), metadata={"help": "a kernel argument to add; can be given several times"}
    )
    delete_karg: tuple[str, ...] = field(
        default=(), metadata={"help": "a kernel argument to remove; can be given several times"}
    )
    save_partlabel: tuple[str, ...] = field(
        default=(), metadata={"help": "keep partitions of this name; can be given several times"}
    )
    installer_option: tuple[str, ...] = field(
        default=(),
        metadata={"help": "any other option of coreos-installer; can be given several times"},
    )

    def argv(self, device: str, sha256: str) -> tuple[str, ...]:
        """Make the command; coreos-installer checks the Ignition file by its hash."""
        words = ["coreos-installer", "install", device, f"--ignition-file={CONFIG}"]
        words.append(f"--ignition-hash=sha256-{sha256}")
        if self.copy_network:
            words.append("--copy-network")
        if self.network_dir:
            words.append(f"--network-dir={self.network_dir}")
        for name in ("console", "append_karg", "delete_karg", "save_partlabel"):
            words += [f"--{name.replace('_', '-')}={value}" for value in getattr(self, name)]
        return (*words, *self.installer_option)
