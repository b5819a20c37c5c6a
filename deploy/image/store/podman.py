"""Read images from podman's storage with the podman program."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content, hex_of, read
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.store.archive import Archive
from deploy.workstation.programs import run

_ASK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Podman:
    """An image in podman's storage, by name."""

    name: str

    def image(self) -> Image:
        """Look up the image."""
        said = run(
            ("podman", "image", "inspect", self.name),
            doing=f"reading image {self.name}",
            hint="build it first (`fab sample-build` builds the sample), or change IMAGE",
            seconds=_ASK_SECONDS,
        )
        found = json.loads(said)[0]
        history = [one for one in found.get("History") or () if not one.get("empty_layer")]
        layers = tuple(found["RootFS"]["Layers"])
        made_by = tuple(str(one.get("created_by", "")) for one in history)
        return Image(
            self.name,
            f"sha256:{found['Id']}",
            found["Size"],
            layers,
            made_by if len(made_by) == len(layers) else (),
            folders=_folders(found),
        )

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        known = cache.content(image.id)
        lacking = {diff_id for diff_id in wanted if not cache.has(diff_id)}
        if known and not lacking:
            return known
        with cache.temporary_folder() as place:
            content = _save(image, place, lacking)
            for diff_id in lacking:
                cache.add_layer(diff_id, place / "blobs/sha256" / hex_of(diff_id))
        if content.id != image.id:
            return self._as_archive(image, cache, lacking)
        if not known:
            cache.add_image(content)
        return content

    def _as_archive(self, image: Image, cache: Cache, lacking: Collection[str]) -> Content:
        """Export an image in Docker's format, whose config would change in an OCI layout."""
        with cache.temporary_folder() as place:
            file = place / "image.tar"
            run(("podman", "save", "-q", "--format", "docker-archive", "-o", str(file), image.id))
            return Archive(self.name, file).export(image, cache, lacking)

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        return SaveCommand(("podman", "save", "--quiet", self.image().id), "docker-archive")


def _folders(found: dict[str, Any]) -> tuple[str, ...]:
    """List the folders of an image's layers, lowest first; empty unless the driver is overlay."""
    driver = found.get("GraphDriver") or {}
    data = driver.get("Data") or {}
    if driver.get("Name") != "overlay" or "UpperDir" not in data:
        return ()
    lower = data["LowerDir"].split(":") if data.get("LowerDir") else []
    return (*reversed(lower), data["UpperDir"])


def _save(image: Image, place: Path, wanted: Collection[str]) -> Content:
    """Write an OCI layout with these layers: podman skips a layer whose file exists, even empty."""
    blobs = place / "blobs/sha256"
    blobs.mkdir(parents=True)
    for diff_id in image.layers:
        if diff_id not in wanted:
            (blobs / hex_of(diff_id)).touch()
    run(
        (
            "podman",
            "save",
            "-q",
            "--format",
            "oci-dir",
            "--uncompressed",
            "-o",
            str(place),
            # By id: a build that runs meanwhile may move the name.
            image.id,
        )
    )
    index = json.loads((place / "index.json").read_bytes())
    manifest = (blobs / hex_of(index["manifests"][0]["digest"])).read_bytes()
    config = (blobs / hex_of(json.loads(manifest)["config"]["digest"])).read_bytes()
    return read(manifest, config)
