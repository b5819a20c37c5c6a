"""Send a bundle to its registry, signed, and make its tag name it."""

import gzip

from deploy.registry.plan.manifest import CONFIG_TYPE, LAYER_TYPE, artifact, blob_of
from deploy.registry.publisher import Publisher


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
