"""Read images from the Docker daemon."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, SaveCommand
from deploy.image.store.archive import Archive
from deploy.workstation.programs import run

_ASK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Docker:
    """An image in Docker's storage; its id is the digest of its config, as in podman."""

    name: str

    def image(self) -> Image:
        """Look up the image."""
        said = run(
            ("docker", "image", "inspect", self.name),
            doing=f"reading image {self.name}",
            hint="start the Docker daemon, and look for the image with `docker image ls`",
            seconds=_ASK_SECONDS,
        )
        found = json.loads(said)[0]
        return Image(self.name, found["Id"], found["Size"], tuple(found["RootFS"]["Layers"]))

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache."""
        known = cache.content(image.id)
        if known and all(cache.has(diff_id) for diff_id in wanted):
            return known
        with cache.temporary_folder() as place:
            file = place / "image.tar"
            run(("docker", "save", "-o", str(file), image.id))
            return Archive(self.name, file).export(image, cache, wanted)

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        return SaveCommand(("docker", "save", self.image().id), "docker-archive")
