"""Read the bundle that a node's tag names now."""

from deploy.bundle.plan.content import Contents, read_bundle
from deploy.errors import DeployError
from deploy.registry.plan.manifest import layers_of
from deploy.registry.publisher import Publisher


def present(publisher: Publisher) -> Contents:
    """Read what the tag names, signed by a key of ours; nothing where it names nothing yet.

    Raises:
        DeployError: when it is not signed, older than what was seen, or not understood.
    """
    reference = publisher.reference
    if publisher.registry.manifest(reference.tag) is None:
        return Contents()
    manifest = publisher.current(reference).manifest
    layers = layers_of(manifest.content, str(reference))
    packed = publisher.registry.read_blob(layers[0]) if len(layers) == 1 else None
    if packed is None:
        raise DeployError(
            f"{reference} names something else than a bundle",
            "look at it with skopeo, then publish a bundle: `fab publish --node`",
        )
    return read_bundle(packed)
