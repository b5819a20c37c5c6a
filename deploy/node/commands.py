"""Commands: trust a node, break a lock, read the journal."""

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


@task("look", help={"lines": "how many", "every": "of every app of the node"})
def audit(
    context: Context, *, name: str = "", lines: int = 20, every: bool = False, json: bool = False
) -> None:
    """Show who changed what on the node, when, from where, and with what result."""
    from deploy.node.audit import audit as show

    show(project_of(context, name, LOGIN), lines=lines, every=every, as_json=json)
