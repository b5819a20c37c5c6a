"""Commands: publish an image, a node's configuration, or a command for a node."""

from invoke.context import Context

from deploy.options import project_of, project_to_look_at
from deploy.task import task


@task(
    "registry",
    help={
        "tag": "the tag to move; that of PULL, unless given",
        "platform": "such as linux/arm64, of an image for several",
        "node": "publish the node's configuration instead (PULL_NODE)",
    },
)
def publish(
    context: Context, *, name: str = "", tag: str = "", platform: str = "", node: bool = False
) -> None:
    """Send IMAGE to the registry of PULL, sign it, and make the tag name it."""
    from deploy.bundle.publish import publish_node
    from deploy.errors import DeployError
    from deploy.registry.publish import publish as send

    project = project_of(context, name)
    if not node:
        send(project, tag=tag, platform=platform)
        return
    if tag or platform:
        raise DeployError("--tag and --platform are for images", "leave them out with --node")
    publish_node(project)


@task(
    "registry",
    positional=["verb"],
    help={
        "verb": "retry, hold, release, restart, reboot, os-rollback, collect or ssh-open",
        "release": "for release: the one to go back to",
        "minutes": "for ssh-open: how long",
        "key": "for ssh-open: a file with the public key to let in",
        "valid": "for how many minutes the node may carry it out; longer than PULL_EVERY",
    },
)
def node_command(  # noqa: PLR0913 -- a task's arguments are its options
    context: Context,
    verb: str,
    *,
    name: str = "",
    release: str = "",
    minutes: int = 0,
    key: str = "",
    valid: int = 120,
) -> None:
    """Have a node carry out a command at its next look at the registry, without a login."""
    from deploy.bundle.command import node_command as send
    from deploy.bundle.command import read_public_key
    from deploy.bundle.plan.node_command import Asked

    project = project_of(context, name)
    asked = Asked(verb, project.settings.app, release, minutes, read_public_key(project, key))
    send(project, asked, valid_minutes=valid)


@task("look")
def node_collected(context: Context, *, name: str = "") -> int:
    """Show what `fab node-command collect` had the node gather: logs, firewall, disks."""
    from deploy.bundle.collected import node_collected as show

    return show(project_to_look_at(context, name))
