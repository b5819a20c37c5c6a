"""Verb: remove from a node what no release of an app needs."""

from deploy.console import output
from deploy.image import act
from deploy.node import session
from deploy.node.journal import audit_failures, audit_line, write_audit
from deploy.node.lock import acquire_lock
from deploy.project import Project


def prune(project: Project, *, wait_seconds: int = 0) -> None:
    """Remove images of this app that no release needs, and what cut transfers left.

    Raises:
        DeployError: while somebody deploys the app, or when the node refuses.
    """
    settings = project.settings
    line = audit_line(project, "prune")
    with session.open_session(project) as remote:
        acquire_lock(remote, project, "prune", wait_seconds=wait_seconds)
        with audit_failures(remote, line):
            said = remote.checked(act.prune(settings.app), f"pruning {settings.app}")
        removed = said.splitlines()
        if removed:
            write_audit(remote, line.model_copy(update={"detail": "; ".join(removed)}))
    for found in removed:
        output.say(f"  {found}")
    output.good(f"{len(removed)} removed" if removed else "nothing to remove")
