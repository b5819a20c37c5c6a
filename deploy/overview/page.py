"""Verb: write what is known of the fleet to one HTML file."""

from pathlib import Path

from deploy.console import output
from deploy.errors import DeployError
from deploy.notify.tell import secrets_of
from deploy.overview.look import look_at
from deploy.overview.plan.fleet import attention
from deploy.overview.plan.page import write_page
from deploy.project import Project
from deploy.workstation.files import write_atomically

_FILE = "fleet.html"
_STYLE = Path(__file__).with_name("page.css")


def page(projects: tuple[Project, ...], to: Path | None, *, lines: int) -> None:
    """Look at the nodes of these instances, and write the page; one may stay unheard.

    Raises:
        DeployError: when there is no instance, or the file cannot be written.
    """
    if not projects:
        raise DeployError("there is no instance here", "write .env, or .env.NAME: `fab init`")
    path = to or projects[0].build / _FILE
    fleet = look_at(projects, lines=lines)
    # What was asked for meanwhile, such as a password, is a secret as well.
    secrets = {one for project in projects for one in secrets_of(project.settings)}
    text = write_page(fleet, _STYLE.read_text(encoding="utf-8"), secrets)
    write_atomically(path, text.encode(), 0o600)
    for node, app, why in attention(fleet):
        where = f"{app.name} on {node.name}" if app else node.name
        output.warn(f"{where}: {why}")
    output.good(f"{output.count(len(fleet.nodes), 'node')} on one page: {path}")
