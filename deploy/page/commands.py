"""Commands: pin the key of a node."""

from invoke.context import Context

from deploy.options import LOGIN, project_of
from deploy.task import task


@task("prepare and install", help={"fingerprint": "SHA256:…, from the machine's console"})
def enrol(context: Context, *, name: str = "", fingerprint: str = "") -> None:
    """Pin the node's own key, compared with the machine's console; a status page needs it."""
    from deploy.page.enrol import enrol as pin

    pin(project_of(context, name, LOGIN), fingerprint=fingerprint)
