"""Find an image in the metadata of a Fedora CoreOS stream."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deploy.errors import DeployError

_RELEASE = re.compile(r"[0-9]{1,4}\.[0-9]{8}(\.[0-9]{1,9}){2}", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,200}", re.ASCII)
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

    stream: str
    release: str
    location: str
    signature: str
    sha256: str

    @property
    def number(self) -> tuple[int, ...]:
        """The release as numbers, to compare."""
        return self.number_of(self.release)

    @staticmethod
    def number_of(release: str) -> tuple[int, ...]:
        """Read a release such as 44.20261101.3.0."""
        return tuple(int(part) for part in release.split("."))

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
        whole = json.loads(metadata)
        architectures: Mapping[str, Any] = whole["architectures"]
        stream = str(whole["stream"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
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
        image = StreamImage(
            stream,
            str(made["release"]),
            str(found["location"]),
            str(found["signature"]),
            str(found["sha256"]).lower(),
        )
    except (KeyError, TypeError) as error:
        raise DeployError(
            f"{where} has no {kind} for {architecture}", "choose another kind or stream"
        ) from error
    if not (_RELEASE.fullmatch(image.release) and _NAME.fullmatch(image.name)):
        raise DeployError(
            f"{where} has no {kind} with a proper name and release", "is it Fedora's metadata?"
        )
    return image
