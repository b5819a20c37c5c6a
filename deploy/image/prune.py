"""Remove from a node the images and partial transfers that no release needs."""

from deploy.console import output
from deploy.image import act
from deploy.node import session
from deploy.node.hold import hold
from deploy.node.journal import audit_line, failures_audited, write_audit
from deploy.project import Project


def prune(project: Project, *, wait_seconds: int = 0) -> None:
    """Prune this app's images and what interrupted transfers left; print each removal.

    Raises:
        DeployError: when another command holds the lock of the app, or the node refuses.
    """
    settings = project.settings
    line = audit_line(project, "prune")
    with session.reached(project) as remote:
        hold(remote, project, "prune", wait_seconds=wait_seconds)
        with failures_audited(remote, line):
            output_text = remote.checked(act.prune(settings.app), f"pruning {settings.app}")
        removed = output_text.splitlines()
        if removed:
            write_audit(remote, line.model_copy(update={"detail": "; ".join(removed)}))
    for found in removed:
        output.say(f"  {found}")
    output.good(f"{len(removed)} removed" if removed else "nothing to remove")
