"""Verb: show the last lines of an app on its node."""

from deploy.app.act import logs as logs_of
from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.project import Project


def logs(project: Project, lines: str, *, release: str = "") -> None:
    """Print the last journal lines of a release; of the one that serves unless it is named.

    Raises:
        DeployError: when `lines` is no count.
    """
    if not lines.isdecimal():
        raise DeployError(f"--lines is {lines!r}", "give a whole number such as 50")
    with session.open_session(project) as remote:
        wanted = logs_of(project.settings.app, int(lines), release)
        said = remote.checked(wanted, f"reading the log of {project.settings.app}")
    output.say(said.rstrip("\n"))
