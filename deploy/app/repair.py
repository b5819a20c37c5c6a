"""Verb: repair podman's image storage on a node, and deploy what the damage removed."""

from deploy.app.deploy import DeployOptions, deploy
from deploy.app.planner import load_artifacts
from deploy.app.tls import check_pair
from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.image import act as image_act
from deploy.node import session
from deploy.node.journal import audit_failures, audit_line, write_audit
from deploy.node.lock import acquire_lock
from deploy.node.remote import Remote
from deploy.project import Project
from deploy.settings.model import CERT_PASS
from deploy.spec.render import render


def image_repair(project: Project, *, asked: bool = False, wait_seconds: int = 0) -> None:
    """Stop the app, remove damaged layers and images, and deploy, which sends them again.

    Raises:
        CertError: when certificate, key and password do not match.
        DeployError: when it is not confirmed, the repair fails, or the deploy fails.
    """
    settings = project.settings
    output.warn(
        f"{settings.app} stops until its image is repaired; images of other apps that share a "
        "damaged layer are removed too"
    )
    if not asked and not prompt.has_terminal():
        raise DeployError("not a terminal", "run it again with --yes")
    if not asked and not prompt.confirm("repair it?"):
        raise DeployError("not confirmed; nothing was changed")
    # Find what the deploy would refuse while the app still serves.
    with load_artifacts(render(project)) as artifacts:
        if artifacts.pair:
            check_pair(artifacts.pair, settings, artifacts.credentials.value(CERT_PASS))
    with session.open_session(project) as remote:
        acquire_lock(remote, project, "image-repair", wait_seconds=wait_seconds)
        removed = _repair(remote, project)
    for line in removed:
        output.say(f"  {line}")
    deploy(project, DeployOptions(wait_seconds=wait_seconds), artifacts.credentials)


def _repair(remote: Remote, project: Project) -> tuple[str, ...]:
    """Repair the storage and record it; return what was removed, a line each."""
    line = audit_line(project, "image-repair")
    with audit_failures(remote, line):
        printed = remote.checked(
            image_act.repair_storage(project.settings.app),
            "repairing podman's storage",
            "look at the disk; `fab rebuild` installs the machine again",
        )
    removed = tuple(one for one in printed.splitlines() if one.strip())
    write_audit(remote, line.model_copy(update={"detail": "; ".join(removed)}))
    return removed
