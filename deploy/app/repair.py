"""Verb: mend podman's storage on a node, and bring back what had to go with the damage."""

from deploy.app.deploy import DeployOptions, rollout
from deploy.app.planner import load_desired
from deploy.app.tls import check_pair
from deploy.console import output, prompt
from deploy.errors import DeployError
from deploy.image import act as image_act
from deploy.node import session
from deploy.node.journal import audit_failures, audit_line, write_audit
from deploy.node.lock import acquire_lock
from deploy.project import Project
from deploy.settings.model import CERT_PASS
from deploy.spec.render import render


def image_repair(project: Project, *, asked: bool = False, wait_seconds: int = 0) -> None:
    """Stop the app, remove what is damaged, and deploy: missing layers are sent anew.

    Raises:
        CertError: when certificate, key and password do not fit.
        DeployError: when nobody agrees, podman cannot mend its storage, or the deploy fails.
    """
    settings = project.settings
    output.warn(
        f"{settings.app} stops until its image is whole again; images of other apps that share a "
        "damaged layer go too"
    )
    if not asked and not prompt.confirm("repair it?"):
        raise DeployError("nothing was changed")
    # What the deploy would be refused for is told while the app still serves.
    with load_desired(render(project)) as desired:
        check_pair(desired.pair, settings, desired.credentials.value(CERT_PASS))
    line = audit_line(project, "image-repair")
    with session.open_session(project) as remote:
        acquire_lock(remote, project, "image-repair", wait_seconds=wait_seconds)
        with audit_failures(remote, line):
            said = remote.checked(
                image_act.repair_storage(settings.app),
                "repairing podman's storage",
                "look at the disk; `fab rebuild` installs the machine again",
            )
        found = [one for one in said.splitlines() if one.strip()]
        write_audit(remote, line.model_copy(update={"detail": "; ".join(found)}))
    for one in found:
        output.say(f"  {one}")
    rollout(project, DeployOptions(wait_seconds=wait_seconds), desired.credentials)
