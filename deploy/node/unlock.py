"""Verb: end a change that somebody began and that does not end."""

from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.journal import audit_line
from deploy.node.lock import break_lock
from deploy.project import Project


def unlock(project: Project, *, reason: str) -> None:
    """End the connection that holds the app's lock; who, and why, is written down on the node.

    Raises:
        DeployError: without a reason, or when the holder does not end.
    """
    settings = project.settings
    if not reason.strip():
        raise DeployError("unlock wants a reason, which is written down", '`--reason "…"`')
    line = audit_line(project, "unlock", reason.strip())
    with session.open_session(project) as remote:
        thrown_out = break_lock(remote, settings.app, line.to_json())
    if thrown_out is None:
        output.good(f"nobody holds the lock of {settings.app}")
        return
    output.good(f"the lock of {settings.app} is free: {thrown_out} was thrown out")
    output.say("what was begun and not finished is put back by the next `fab deploy`")
