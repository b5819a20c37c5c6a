"""The interface of everything that stores local images."""

from collections.abc import Collection
from typing import Protocol

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, SaveCommand


class Source(Protocol):
    """A local image in podman, Docker, an OCI layout or an archive."""

    def image(self, platform: str = "") -> Image:
        """Look up the image; where there are several, the one for a platform.

        Without one for that platform, or without `platform`, any of them is returned.

        Raises:
            DeployError: when it does not exist or cannot be read.
        """
        ...

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Export these layers into the cache, uncompressed; return manifest and config.

        Raises:
            DeployError: when the image is damaged or was removed.
        """
        ...

    def save_command(self) -> SaveCommand:
        """Return the command that writes the whole image as one stream."""
        ...
