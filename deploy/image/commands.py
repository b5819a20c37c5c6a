"""Image commands: send, verify, prune, build the sample."""

from invoke.context import Context

from deploy.options import LOGIN, hosts, project_of
from deploy.task import task

_IMAGE = (*LOGIN, "IMAGE", "IMAGE_CACHE", "IMAGE_CACHE_MEGABYTES")


@task(
    "image",
    help={
        "events": "write progress as JSON, a line each",
        "nodes": "user@host:port,…: send to all of these at once",
    },
)
def image_send(context: Context, *, name: str = "", events: bool = False, nodes: str = "") -> None:
    """Send the missing parts of IMAGE to the node, without deploying."""
    from deploy.fleet.nodes import at_hosts
    from deploy.node.session import expect_login

    project = project_of(context, name, _IMAGE)
    login = None if nodes else expect_login(project)
    from deploy.image.send import image_send as send

    send(at_hosts(project, hosts(nodes)) or (project,), events=events, login=login)


@task("image")
def image_verify(context: Context, *, name: str = "") -> int:
    """Compare the node's image with IMAGE, path by path; exit code 1: different, 3: unknown."""
    from deploy.image.verify import image_verify as verify

    return verify(project_of(context, name, _IMAGE))


@task("image")
def prune(context: Context, *, name: str = "", wait: int = 0) -> None:
    """Remove images that no release needs, and what interrupted transfers left."""
    from deploy.node.session import expect_login

    project = project_of(context, name, LOGIN)
    login = expect_login(project)
    from deploy.image.prune import prune as remove

    remove(project, wait_seconds=wait, login=login)


@task("rehearsal")
def sample_build(context: Context, *, name: str = "") -> None:
    """Build the sample app's image as IMAGE."""
    from container.sample.build import build
    from deploy.console import output

    settings = project_of(context, name, ("IMAGE",)).settings
    output.good(f"{settings.image} is {build(settings.image, on_step=output.say)}")
