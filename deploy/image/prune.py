"""Remove from a node the images and partial transfers that no release needs."""

from deploy.console import output
from deploy.image import act
from deploy.node import session
from deploy.node.journal import audit_failures, audit_line, write_audit
from deploy.node.lock import acquire_lock
from deploy.node.login import Login
from deploy.project import Project


def prune(project: Project, *, wait_seconds: int = 0, login: Login | None = None) -> None:
    """Prune this app's images and what interrupted transfers left; print each removal.

    Raises:
        DeployError: when another command holds the lock of the app, or the node refuses.
    """
    settings = project.settings
    line = audit_line(project, "prune")
    with session.open_session(project, login) as remote:
        acquire_lock(remote, project, "prune", wait_seconds=wait_seconds)
        with audit_failures(remote, line):
            output_text = remote.checked(act.prune(settings.app), f"pruning {settings.app}")
        removed = output_text.splitlines()
        if removed:
            write_audit(remote, line.model_copy(update={"detail": "; ".join(removed)}))
    for found in removed:
        output.say(f"  {found}")
    output.good(f"{len(removed)} removed" if removed else "nothing to remove")
