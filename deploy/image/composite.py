"""An anchor image that a node has, with one delta on top: it stands for another image there."""

import json
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from deploy.image.content import Content, compose
from deploy.image.export import Export
from deploy.image.index import Index
from deploy.image.pieces import Bytes
from deploy.image.press import Press
from deploy.plan.image import Image

# Labels of an image on a node: the id of the image it stands for, and its delta. An image that
# somebody makes from it inherits both, but its last layer is another.
BUILT, DELTA = "io.corefab.built", "io.corefab.delta"


def composite(built: Content, anchor: Sequence[Index], delta: str, size: int) -> Content:
    """Make the content of the image: what was built says all but the layers.

    The history is left out, for it speaks of other layers.
    """
    config = json.loads(built.config)
    config.pop("history", None)
    inner = config.get("config") or {}
    labels = (inner.get("Labels") or {}) | {BUILT: built.id, DELTA: delta}
    config["config"] = inner | {"Labels": labels}
    config["rootfs"] = {"type": "layers", "diff_ids": [*(one.diff_id for one in anchor), delta]}
    text = json.dumps(config, separators=(",", ":")).encode()
    return compose(text, [*(one.size for one in anchor), size], json.loads(built.manifest))


@dataclass(frozen=True, slots=True)
class Ready:
    """A composite whose delta is in the cache already; the rest is of the image being read."""

    made: Content
    export: Export

    @property
    def press(self) -> Press:
        """What makes the compressed pieces, once for all nodes with the same anchor."""
        return self.export.press

    def content(self, wanted: Collection[str]) -> Content:  # noqa: ARG002 -- a supply's signature
        """Give the content; the layer is there."""
        return self.made

    def layer(self, diff_id: str) -> AbstractContextManager[Bytes]:
        """Open the delta, or what it is compared with."""
        return self.export.layer(diff_id)


def image_of(content: Content, name: str) -> Image:
    """Describe the image as one to send."""
    sizes = {layer.diff_id: layer.size for layer in content.layers}
    layers = tuple(layer.diff_id for layer in content.layers)
    return Image(name, content.id, sum(sizes.values()), layers, sizes=sizes)
