"""Name an image by another tag: no layer is sent, and it stays signed."""

from deploy.console import output
from deploy.project import Project
from deploy.registry.canary import canaries_of, watch
from deploy.registry.publisher import Publisher


def promote(project: Project, source: str, target: str, *, watch_minutes: int = 0) -> None:
    """Make a tag name the image that another one names; a tag to itself is signed once more.

    With `watch_minutes` the image has to serve well for so long on the nodes that follow the
    source first.

    Raises:
        DeployError: when the source is missing, or not signed as what nodes would take; or when
            a watched node does not serve it, and then nothing is changed.
    """
    publisher = Publisher.of(project)
    found = publisher.current(publisher.reference.with_tag(source))
    if watch_minutes:
        canaries = canaries_of(project, publisher.reference.with_tag(source))
        watch(canaries, found.manifest.digest, minutes=watch_minutes)
    reference = publisher.reference.with_tag(target)
    again = found.statement if source == target else None
    statement = publisher.move(reference, found.manifest, back=again)
    if statement is None:
        output.good(f"{reference} is {found.manifest.digest} already")
        return
    output.good(f"{reference} is {found.manifest.digest} (sequence {statement.sequence})")
