"""Verb: show the last lines of an app on its node."""

from pathlib import Path

from deploy import node, report
from deploy.errors import DeployError
from deploy.plan.command import logs as logs_of
from deploy.settings.model import Settings


def logs(folder: Path, settings: Settings, lines: str, *, release: str = "") -> None:
    """Print the last journal lines of a release; of the one that serves unless it is named.

    Raises:
        DeployError: when `lines` is no count.
    """
    if not lines.isdecimal():
        raise DeployError(f"--lines is {lines!r}", "give a whole number such as 50")
    with node.reached(folder, settings) as remote:
        result = remote.run(logs_of(settings.app, int(lines), release))
    if result.code:
        raise DeployError(result.stderr.strip())
    report.say(result.stdout.rstrip("\n"))
