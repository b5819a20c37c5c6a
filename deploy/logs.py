"""Verb: show the last lines of an app on its node."""

from pathlib import Path

from deploy import node, report
from deploy.errors import DeployError
from deploy.plan.command import Command
from deploy.settings.model import Settings


def logs(folder: Path, settings: Settings, lines: int) -> None:
    """Print the app's last journal lines."""
    with node.reached(folder, settings) as remote:
        result = remote.run(Command("logs", (settings.app, str(lines))))
    if result.code:
        raise DeployError(result.stderr.strip())
    report.say(result.stdout.rstrip("\n"))
