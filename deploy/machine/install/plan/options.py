"""The options of `fab install`, and the coreos-installer command that they make.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass, field

# On the medium: in memory, and a file, since coreos-installer reads it twice.
CONFIG = "/run/corefab-install/config.ign"


@dataclass(frozen=True, slots=True)
class Installation:
    """What the operator asks for; names and meanings are coreos-installer's own."""

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
        """Write the command; the config's hash makes coreos-installer check what it read."""
        words = ["coreos-installer", "install", device, f"--ignition-file={CONFIG}"]
        words.append(f"--ignition-hash=sha256-{sha256}")
        if self.copy_network:
            words.append("--copy-network")
        if self.network_dir:
            words.append(f"--network-dir={self.network_dir}")
        for name in ("console", "append_karg", "delete_karg", "save_partlabel"):
            words += [f"--{name.replace('_', '-')}={value}" for value in getattr(self, name)]
        return (*words, *self.installer_option)
