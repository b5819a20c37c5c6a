"""What a parcel is filled from."""

from collections.abc import Collection
from contextlib import AbstractContextManager
from typing import Protocol

from deploy.image.content import Content
from deploy.image.pieces import Bytes
from deploy.image.press import Press


class Supply(Protocol):
    """An image's content, its layers, and what compresses them."""

    @property
    def press(self) -> Press:
        """What makes the compressed pieces."""
        ...

    def content(self, wanted: Collection[str]) -> Content:
        """Give the image's content, and have these of its layers read.

        Raises:
            DeployError: when the image is damaged, or gone.
        """
        ...

    def layer(self, diff_id: str) -> AbstractContextManager[Bytes]:
        """Open a layer that was asked for, or that is in the cache."""
        ...
