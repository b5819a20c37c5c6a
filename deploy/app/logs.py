"""Verb: print the last log lines of an app."""

from deploy.console import output
from deploy.errors import DeployError
from deploy.node import session
from deploy.node.command import Command
from deploy.project import Project


def logs(project: Project, lines: str, *, release: str = "") -> None:
    """Print the last log lines of a release; by default, of the one that serves.

    Raises:
        DeployError: when `lines` is not a number, or the node has no such log.
    """
    if not lines.isdecimal():
        raise DeployError(f"--lines is {lines!r}", "give a whole number such as 50")
    with session.open_session(project) as remote:
        command = Command("logs", (project.settings.app, str(int(lines)), release))
        log = remote.checked(command, f"reading the log of {project.settings.app}")
    output.say(log.rstrip("\n"))
