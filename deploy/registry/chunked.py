"""Compress layers as zstd:chunked, of which nodes fetch only the files that they lack."""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryFile

from deploy.console import output
from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.layers.oci import hex_of
from deploy.image.store.engines import Podman
from deploy.image.wire.zstd import unpack
from deploy.node.answer import reading
from deploy.registry.plan.manifest import Descriptor, layers_of
from deploy.workstation.programs import run

FORM = "zstd:chunked"
# What podman 5 looks for; versions before 4.4 wrote another name.
_MARK = "io.github.containers.zstd-chunked.manifest-checksum"


def pack_chunked(export: Export, folder: Path) -> dict[str, Descriptor]:
    """Let podman write an image's layers into an OCI layout; return the blob of each layer.

    Raises:
        DeployError: for an image outside podman's storage, and when podman fails.
    """
    if not isinstance(export.source, Podman):
        raise DeployError(
            f"PUBLISH_FORMAT is {FORM}, which podman makes of images in its own storage",
            f"load it: `podman pull {export.image.name}`, and IMAGE=NAME; or PUBLISH_FORMAT=zstd",
        )
    words = ("podman", "push", "--quiet", "--format", "oci", "--compression-format", FORM)
    run((*words, hex_of(export.image.id), f"oci:{folder}"), doing="podman push")
    with reading("what podman push wrote", "PUBLISH_FORMAT=zstd needs no podman"):
        index = json.loads((folder / "index.json").read_bytes())
        manifest = blob_file(folder, index["manifests"][0]["digest"]).read_bytes()
        found = layers_of(manifest, "what podman push wrote")
        packed = dict(zip(export.image.layers, found, strict=True))
    for diff_id, blob in packed.items():
        _check(diff_id, blob_file(folder, blob.digest))
    if not all(_MARK in one.annotations for one in found):
        output.warn(
            "this podman marks zstd:chunked in a way that nodes do not know: they fetch whole "
            "layers; podman 4.4 and newer marks it as they expect"
        )
    return packed


def blob_file(folder: Path, digest: str) -> Path:
    """Name the file of a blob in an OCI layout."""
    return folder / "blobs/sha256" / hex_of(digest)


def _check(diff_id: str, packed: Path) -> None:
    """Compare a compressed layer with its digest: podman 4.3 leaves out bytes at a tar's end."""
    with packed.open("rb") as stream, TemporaryFile(dir=packed.parent) as plain:
        unpack(stream, plain)
        plain.seek(0)
        found = hashlib.file_digest(plain, "sha256").hexdigest()
    if found != hex_of(diff_id):
        raise DeployError(
            f"podman changes layer {diff_id} when it makes {FORM} of it: nodes would refuse it",
            "use PUBLISH_FORMAT=zstd, or a newer podman",
        )
