"""Where an image comes from."""

from collections.abc import Collection
from typing import Protocol

from deploy.image.layers.cache import Cache
from deploy.image.layers.oci import Content
from deploy.image.plan.image import Image, Whole


class Source(Protocol):
    """An image of the workstation."""

    def image(self) -> Image:
        """Look the image up.

        Raises:
            DeployError: when it is not there or cannot be read.
        """
        ...

    def export(self, image: Image, cache: Cache, wanted: Collection[str]) -> Content:
        """Bring these layers of the image into the cache, uncompressed; give its content.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        ...

    def whole(self) -> Whole:
        """Say how the whole image can be written as one stream."""
        ...
