"""An image of the Docker daemon."""

import json
from collections.abc import Collection
from dataclasses import dataclass

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, Whole
from deploy.image.store.archive import Archive
from deploy.workstation.programs import run

_ASK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Docker:
    """An image by its name in Docker's storage; its id is that of its config, as podman counts."""

    name: str

    def image(self) -> Image:
        """Look the image up."""
        said = run(
            ("docker", "image", "inspect", self.name),
            doing=f"reading image {self.name}",
            hint="does the Docker daemon run, and does `docker image ls` name it?",
            seconds=_ASK_SECONDS,
        )
        found = json.loads(said)[0]
        return Image(self.name, found["Id"], found["Size"], tuple(found["RootFS"]["Layers"]))

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Bring these layers of the image into the cache."""
        known = cache.content(image.id)
        if known and all(cache.holds(diff_id) for diff_id in wanted):
            return known
        with cache.workplace() as place:
            file = place / "image.tar"
            run(("docker", "save", "-o", str(file), image.id))
            return Archive(self.name, file).export(image, cache, wanted)

    def whole(self) -> Whole:
        """Say how the whole image can be written as one stream."""
        return Whole(("docker", "save", self.image().id), "docker-archive")
