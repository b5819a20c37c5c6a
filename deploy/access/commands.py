"""Commands: people's SSH keys, the operator's own, and the nodes' host keys."""

from typing import TYPE_CHECKING

from invoke.context import Context

from deploy.options import file_of, project_of, projects_of, target
from deploy.task import task

if TYPE_CHECKING:
    from deploy.fleet.nodes import Node

_DAYS = "days until it expires; 0 for never"


@task(
    "access",
    positional=["person"],
    help={"person": "whose", "key": "a file of public keys", "days": _DAYS},
)
def access_add(context: Context, person: str, *, key: str, name: str = "", days: int = 0) -> None:
    """Add a person's SSH keys to every node, and to later machine specs."""
    from deploy.access.keys import access_add as add

    add(_nodes(context, name), person, file_of(key), days=days)


@task("access", positional=["person"], help={"person": "whose"})
def access_remove(context: Context, person: str, *, name: str = "") -> None:
    """Remove a person's SSH keys from every node, and from later machine specs."""
    from deploy.access.keys import access_remove as remove

    remove(_nodes(context, name), person, identity=project_of(context, name).identity)


@task(
    "access",
    positional=["person"],
    help={
        "person": "whose, for the node's log",
        "key": "their public key file",
        "hours": "how long it is valid",
    },
)
def access_sign(
    context: Context, person: str, *, key: str, name: str = "", hours: int = 12
) -> None:
    """Sign a person's SSH key for some hours: a certificate instead of a key on every node."""
    from deploy.access.sign import access_sign as sign

    sign(_nodes(context, name), project_of(context, name), person, file_of(key), hours=hours)


@task("access")
def access_list(context: Context, *, name: str = "", json: bool = False) -> None:
    """List whose SSH keys may log in to the nodes, since when and until when."""
    from deploy.access.list import access_list as show

    show(_nodes(context, name), as_json=json)


@task("access", help={"key": "a private key of your own to use", "days": _DAYS})
def cert_rotate_ssh(context: Context, *, name: str = "", key: str = "", days: int = 0) -> None:
    """Log in with another key from now on, on every node, proven before the old one goes."""
    from deploy.access.rotate_key import cert_rotate_ssh as rotate
    from deploy.errors import DeployError

    if target(context):
        raise DeployError(
            "the key cannot be replaced on one node alone: every node uses the same file",
            "name every node in .env and .env.NAME, and leave -H out",
        )
    given = file_of(key) if key else None
    rotate(_nodes(context, name), project_of(context, name).identity, given=given, days=days)


@task(
    "access",
    help={
        "finish": "remove the old key, which was announced beside the new one until now",
        "at_once": "begin and finish: colleagues have to pin the new key by hand",
    },
)
def host_key_rotate(
    context: Context, *, name: str = "", finish: bool = False, at_once: bool = False
) -> None:
    """Give the node another SSH host key, announced beside the old one for a while."""
    from deploy.access.host_key import host_key_rotate as rotate
    from deploy.fleet.nodes import nodes

    (node,) = nodes((project_of(context, name),))
    rotate(node, finish=finish, at_once=at_once)


def _nodes(context: Context, name: str) -> "tuple[Node, ...]":
    """List every node of every instance here, or the one that -H names."""
    from deploy.fleet.nodes import nodes

    return nodes(projects_of(context, name, every=target(context) is None))
