"""Go back to the image that a tag named before."""

from deploy.console import output
from deploy.errors import DeployError
from deploy.project import Project
from deploy.registry.publisher import Publisher


def withdraw(project: Project, tag: str) -> None:
    """Make a tag name the image before the present one again; nodes take it as a new one.

    Raises:
        DeployError: when there is none before, or the registry has it no more.
    """
    publisher = Publisher.of(project)
    reference = publisher.reference.with_tag(tag) if tag else publisher.reference
    present = publisher.current(reference)
    before = present.statement.previous
    if not before:
        raise DeployError(
            f"{present.manifest.digest} is the first image of {reference}",
            "publish another one: `fab publish`",
        )
    manifest = publisher.registry.manifest(before)
    earlier = publisher.signatures.latest(reference, before)
    if manifest is None or earlier is None:
        raise DeployError(
            f"the registry has {before} no more, or its signature",
            "publish it once more: `fab publish` with that IMAGE",
        )
    statement = publisher.move(reference, manifest, back=earlier)
    sequence = f" (sequence {statement.sequence})" if statement else ""
    output.good(f"{reference} is {before} again{sequence}")
