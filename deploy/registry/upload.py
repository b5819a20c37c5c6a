"""Send an image to a registry: the blobs that it lacks, then the manifest by its digest."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.console import output, progress
from deploy.console.size import size
from deploy.errors import DeployError
from deploy.image.export.export import Export
from deploy.image.layers.oci import Content
from deploy.registry.blob_store import BlobStore
from deploy.registry.chunked import FORM as CHUNKED
from deploy.registry.chunked import blob_file, pack_chunked
from deploy.registry.pack import pack
from deploy.registry.plan.manifest import CONFIG_TYPE, Descriptor, Manifest, blob_of, manifest_of
from deploy.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class Upload:
    """An image on its way to a repository, with its layers in one format."""

    export: Export
    registry: Registry
    form: str

    def run(self) -> Manifest:
        """Send what the repository lacks; return the manifest, which no tag names yet.

        Raises:
            DeployError: when the image cannot be read, or the registry refuses it.
        """
        layers = self._layers()
        # Manifest and config alone; the layers were read before.
        content = self.export.content(())
        config = blob_of(content.config, CONFIG_TYPE)
        self.registry.put_blob(config, content.config)
        manifest = manifest_of(config, layers, _annotations(content))
        if not self.registry.has_manifest(manifest.digest):
            self.registry.put_manifest(manifest.digest, manifest)
        self.export.cache.trim(frozenset(self.export.image.layers))
        return manifest

    def _layers(self) -> list[Descriptor]:
        """Send the layers that the repository lacks; return the blobs of all."""
        diff_ids = tuple(dict.fromkeys(self.export.image.layers))
        there = {one: blob for one in diff_ids if (blob := self._found(one))}
        lacking = [one for one in diff_ids if one not in there]
        sent = self._send_all(lacking) if lacking else {}
        total = sum(blob.size for blob in sent.values())
        output.say(
            f"  {output.count(len(sent), 'layer')} sent ({size(total)}), {len(there)} there already"
        )
        blobs = there | sent
        return [blobs[one] for one in self.export.image.layers]

    def _found(self, diff_id: str) -> Descriptor | None:
        """Find the blob that a layer became before, in the repository or in another one."""
        known = self._store.load(diff_id)
        if known is None:
            return None
        if self.registry.has_blob(known.blob.digest):
            return known.blob
        other = known.other(self.registry.host, self.registry.name)
        if not other or not self.registry.mount(known.blob, other):
            return None
        self._store.add(diff_id, known.blob, self.registry.name)
        return known.blob

    def _send_all(self, diff_ids: Sequence[str]) -> dict[str, Descriptor]:
        with self.export.cache.temporary_folder() as place:
            if self.form == CHUNKED:
                with progress.step("Compress the layers with podman"):
                    packed = pack_chunked(self.export, place / "oci")
                return {
                    one: self._send(one, packed[one], blob_file(place / "oci", packed[one].digest))
                    for one in diff_ids
                }
            with progress.step("Read the image"):
                self.export.cache_layers(diff_ids)
            return {one: self._pack_and_send(one, place / "blob") for one in diff_ids}

    def _pack_and_send(self, diff_id: str, file: Path) -> Descriptor:
        layer = self.export.cache.layer(diff_id)
        if layer is None:
            raise DeployError(
                f"layer {diff_id} is missing from {self.export.cache.folder}",
                "run the same command again: it is read from the image once more",
            )
        with progress.step(f"Compress layer {diff_id[7:19]}"):
            blob = pack(diff_id, layer, file, self.form)
        if blob is None:
            self.export.discard_layers()
            raise DeployError(
                f"layer {diff_id} was damaged in {self.export.cache.folder}, and is removed",
                "run the same command again: it is read from the image once more",
            )
        return self._send(diff_id, blob, file)

    def _send(self, diff_id: str, blob: Descriptor, file: Path) -> Descriptor:
        if not self.registry.has_blob(blob.digest):
            with progress.progress(f"layer {diff_id[7:19]}", blob.size) as advance:
                self.registry.upload(blob, file, advance)
        self._store.add(diff_id, blob, self.registry.name)
        return blob

    @property
    def _store(self) -> BlobStore:
        return BlobStore(self.export.cache, self.form)


def _annotations(content: Content) -> dict[str, str]:
    found: dict[str, str] = json.loads(content.manifest).get("annotations", {})
    return {key: value for key, value in found.items() if value}
