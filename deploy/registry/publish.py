"""Publish an image: layers, manifest, signature, and the tag last."""

from deploy.console import output
from deploy.errors import DeployError
from deploy.image.open import open_image
from deploy.project import Project
from deploy.registry.publisher import Publisher
from deploy.registry.upload import Upload


def publish(project: Project, *, tag: str, platform: str) -> None:
    """Send IMAGE to the repository of PULL, sign it, and make the tag name it.

    No node sees a part of it: the tag moves when everything else is there.

    Raises:
        CertError: when AUTHORITY_PASSWORD does not open the key.
        DeployError: when the image cannot be read, or the registry refuses it.
    """
    publisher = Publisher.of(project)
    reference = publisher.reference.with_tag(tag) if tag else publisher.reference
    with open_image(project, platform=platform) as export:
        _refuse_platform(export.image.platforms, platform)
        manifest = Upload(export, publisher.registry, project.settings.publish_format).run()
    statement = publisher.move(reference, manifest)
    if statement is None:
        output.good(f"nothing to publish: {reference} is {manifest.digest} already")
        return
    output.good(f"{reference} is {manifest.digest} (sequence {statement.sequence})")


def _refuse_platform(platforms: tuple[str, ...], wanted: str) -> None:
    """Refuse an image for another platform, and one for several without a choice."""
    if wanted and platforms and platforms[0] != wanted:
        raise DeployError(
            f"IMAGE is for {', '.join(platforms)}, not for {wanted}",
            f"build it: `podman build --platform {wanted} …`",
        )
    if not wanted and len(platforms) > 1:
        raise DeployError(
            f"IMAGE is for several platforms: {', '.join(platforms)}",
            f"choose the one of the nodes: `fab publish --platform {platforms[0]}`",
        )
