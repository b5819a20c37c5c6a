"""Verb: print the last log lines of an app."""

from deploy.console import output
from deploy.node import session
from deploy.node.command import Command
from deploy.project import Project


def logs(project: Project, lines: int, *, release: str = "") -> None:
    """Print the last log lines of a release; by default, of the one that serves.

    Raises:
        DeployError: when the node has no such log.
    """
    with session.open_session(project) as remote:
        command = Command("logs", (project.settings.app, str(lines), release))
        log = remote.checked(command, f"reading the log of {project.settings.app}")
    # An app for a terminal, or for Windows, ends its lines so.
    output.say(log.replace("\r\n", "\n").rstrip("\n"))
