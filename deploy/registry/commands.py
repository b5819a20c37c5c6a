"""Commands: promote an image of a registry to another tag, withdraw it; the key that signs."""

from invoke.context import Context

from deploy.options import project_of
from deploy.task import task


@task(
    "registry",
    positional=["source", "target"],
    help={
        "source": "the tag that names the image",
        "target": "the tag to move",
        "watch": "for how many minutes nodes that follow SOURCE have to serve it well before",
    },
)
def promote(context: Context, source: str, target: str, *, name: str = "", watch: int = 0) -> None:
    """Make a tag name the image of another tag; no layer is sent."""
    from deploy.registry.promote import promote as move

    move(project_of(context, name), source, target, watch_minutes=watch)


@task("registry", help={"tag": "the tag to move; that of PULL, unless given"})
def withdraw(context: Context, *, name: str = "", tag: str = "") -> None:
    """Make a tag name the image before the present one again."""
    from deploy.registry.withdraw import withdraw as move

    move(project_of(context, name), tag)


@task(
    "registry",
    help={
        "following": "make the key that will replace it; images are signed with both",
        "finish": "replace the present key by the following one",
    },
)
def publish_key(
    context: Context, *, name: str = "", following: bool = False, finish: bool = False
) -> None:
    """Show the key that signs images; make it, or change to another one."""
    from deploy.registry.keys import publish_key as show

    show(project_of(context, name), following=following, finish=finish)
