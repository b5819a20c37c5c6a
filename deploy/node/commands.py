"""Commands: trust a node, break a lock."""

from invoke.context import Context

from deploy.options import LOGIN, project_of
from deploy.task import task


@task("prepare and install", help={"fingerprint": "SHA256:…, from the machine's console"})
def trust(context: Context, *, name: str = "", fingerprint: str = "") -> None:
    """Pin the node's SSH host key, compared with the machine's console."""
    from deploy.node.trust import trust as pin

    pin(project_of(context, name, LOGIN), fingerprint=fingerprint)


@task("deploy and go back", help={"reason": "why; it is written down on the node"})
def unlock(context: Context, *, name: str = "", reason: str = "") -> None:
    """Break the app's lock: end its holder's connection, and write down why."""
    from deploy.node.unlock import unlock as end

    end(project_of(context, name, LOGIN), reason=reason)
