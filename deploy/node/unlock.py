"""Verb: break an app's lock, ending the command that holds it."""

from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.journal import audit_line
from deploy.node.lock import break_lock
from deploy.project import Project


def unlock(project: Project, *, reason: str) -> None:
    """End the connection that holds the app's lock; write the reason to the journal of changes.

    Raises:
        DeployError: when the reason is empty, or the holder does not end.
    """
    settings = project.settings
    if not reason.strip():
        raise DeployError("unlock needs a reason for the journal of changes", 'add `--reason "…"`')
    line = audit_line(project, "unlock", reason.strip())
    with session.open_session(project) as remote:
        holder = break_lock(remote, settings.app, line.to_json())
    if holder is None:
        output.good(f"{settings.app} is not locked")
        return
    output.good(f"lock of {settings.app} broken; holder was {holder}")
    output.say("the next `fab deploy` puts back an unfinished change")
