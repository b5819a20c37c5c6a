"""Verb: show the last lines of an app on its node."""

from pathlib import Path

from deploy import node, report
from deploy.errors import DeployError
from deploy.plan.command import Command
from deploy.settings.model import Settings


def logs(folder: Path, settings: Settings, lines: str) -> None:
    """Print the app's last journal lines.

    Raises:
        DeployError: when `lines` is no count.
    """
    if not lines.isdecimal():
        raise DeployError(f"--lines is {lines!r}", "give a whole number such as 50")
    with node.reached(folder, settings) as remote:
        result = remote.run(Command("logs", (settings.app, lines)))
    if result.code:
        raise DeployError(result.stderr.strip())
    report.say(result.stdout.rstrip("\n"))
