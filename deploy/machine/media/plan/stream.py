"""Find an image in the metadata of a Fedora CoreOS stream."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.errors import DeployError

# Kind of image -> artifact, format and file in the metadata.
KINDS = {
    "iso": ("metal", "iso", "disk"),
    "pxe-kernel": ("metal", "pxe", "kernel"),
    "pxe-initramfs": ("metal", "pxe", "initramfs"),
    "pxe-rootfs": ("metal", "pxe", "rootfs"),
    "metal": ("metal", "raw.xz", "disk"),
    "qemu": ("qemu", "qcow2.xz", "disk"),
    "hetzner": ("hetzner", "raw.xz", "disk"),
    "digitalocean": ("digitalocean", "qcow2.gz", "disk"),
    "vultr": ("vultr", "raw.xz", "disk"),
}


@dataclass(frozen=True, slots=True)
class StreamImage:
    """One file of a stream: its address, signature and hash."""

    release: str
    location: str
    signature: str
    sha256: str

    @property
    def name(self) -> str:
        """The file's name in the stream."""
        return self.location.rpartition("/")[2]


def find(metadata: bytes, *, kind: str, architecture: str, where: str) -> StreamImage:
    """Find an image in a stream's metadata.

    Raises:
        DeployError: when it is not stream metadata or has no such image; lists the available ones.
    """
    if kind not in KINDS:
        raise DeployError(f"unknown kind of image {kind!r}", f"known kinds: {', '.join(KINDS)}")
    artifact, form, file = KINDS[kind]
    try:
        architectures: Mapping[str, Any] = json.loads(metadata)["architectures"]
    except (ValueError, KeyError, TypeError) as error:
        raise DeployError(
            f"{where} is not the stream metadata of Fedora CoreOS",
            "give the stream's JSON file, such as …/streams/stable.json",
        ) from error
    if architecture not in architectures:
        known = ", ".join(sorted(architectures)) or "none"
        raise DeployError(f"{where} has no {architecture}", f"it has: {known}")
    try:
        made = architectures[architecture]["artifacts"][artifact]
        found = made["formats"][form][file]
        return StreamImage(
            str(made["release"]),
            str(found["location"]),
            str(found.get("signature", "")),
            str(found["sha256"]).lower(),
        )
    except (KeyError, TypeError) as error:
        raise DeployError(
            f"{where} has no {kind} for {architecture}", "choose another kind or stream"
        ) from error
