"""The options of `fab install`, and the coreos-installer command that they make.

Only plain values: `fab --list` imports this.
"""

from dataclasses import dataclass
from typing import Annotated

# In the live system's memory; a file, because coreos-installer reads it twice.
CONFIG = "/run/corefab-install/config.ign"


@dataclass(frozen=True, slots=True)
class Installation:
    """The options of an installation, named as coreos-installer names them."""

    device: Annotated[str, "the disk to install to; asked for if not given"] = ""
    wipe: Annotated[str, "the same disk again, when it holds data"] = ""
    copy_network: Annotated[bool, "take the medium's network configuration along"] = False
    own_network: Annotated[bool, "the installed system finds its address by itself"] = False
    network_dir: Annotated[str, "where that configuration lies on the medium"] = ""
    console: Annotated[tuple[str, ...], "such as ttyS0,115200"] = ()
    append_karg: Annotated[tuple[str, ...], "a kernel argument to add"] = ()
    delete_karg: Annotated[tuple[str, ...], "a kernel argument to remove"] = ()
    save_partlabel: Annotated[tuple[str, ...], "keep partitions of this name"] = ()
    installer_option: Annotated[tuple[str, ...], "any other option of coreos-installer"] = ()

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
