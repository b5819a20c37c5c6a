"""Send a bundle to its registry, signed, and make its tag name it."""

import gzip
import time
from collections.abc import Callable

from certs.store import locked
from deploy.bundle.plan.content import Contents, bundle
from deploy.bundle.present import present
from deploy.registry.plan.manifest import CONFIG_TYPE, LAYER_TYPE, artifact, blob_of
from deploy.registry.publisher import Publisher
from deploy.workstation.state import STATE


def send_changed(
    publisher: Publisher, node: str, change: Callable[[Contents, int], Contents]
) -> int:
    """Send what `change` makes of what the node's bundle has, and of its new serial; return that.

    Nothing that another command publishes meanwhile is lost.

    Raises:
        DeployError: when the registry refuses the bundle, or `change` does.
    """
    with locked(publisher.project.folder / STATE / "bundle.lock"):
        serial = publisher.next_serial()
        before = present(publisher).without_expired(int(time.time()))
        send(publisher, bundle(node, serial, change(before, serial)))
    return serial


def send(publisher: Publisher, packed: bytes) -> None:
    """Send a bundle: its bytes, its manifest, the signature, and the tag last.

    Raises:
        DeployError: when the registry refuses it.
    """
    layer = blob_of(packed, f"{LAYER_TYPE}+gzip")
    config, manifest = artifact(layer, gzip.decompress(packed))
    publisher.registry.put_blob(layer, packed)
    publisher.registry.put_blob(blob_of(config, CONFIG_TYPE), config)
    publisher.registry.put_manifest(manifest.digest, manifest)
    publisher.move(publisher.reference, manifest)
