"""Name an image by another tag: no layer is sent, and it stays signed."""

from deploy.console import output
from deploy.project import Project
from deploy.registry.publisher import Publisher


def promote(project: Project, source: str, target: str) -> None:
    """Make a tag name the image that another one names; a tag to itself is signed once more.

    Raises:
        DeployError: when the source is missing, or not signed as what nodes would take.
    """
    publisher = Publisher.of(project)
    found = publisher.current(publisher.reference.with_tag(source))
    reference = publisher.reference.with_tag(target)
    again = found.statement if source == target else None
    statement = publisher.move(reference, found.manifest, back=again)
    if statement is None:
        output.good(f"{reference} is {found.manifest.digest} already")
        return
    output.good(f"{reference} is {found.manifest.digest} (sequence {statement.sequence})")
