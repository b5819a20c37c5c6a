"""Verb: remove from a node what no release of an app needs."""

from datetime import UTC, datetime
from pathlib import Path

from deploy import node, report
from deploy.author import author
from deploy.errors import DeployError
from deploy.plan import command
from deploy.remote.lock import take_lock
from deploy.settings.model import Settings


def prune(folder: Path, settings: Settings) -> None:
    """Remove images of this app that no release needs, and what cut transfers left.

    Raises:
        DeployError: while somebody deploys the app, or when the node refuses.
    """
    who = author(folder).who
    with node.reached(folder, settings) as remote:
        take_lock(remote, settings.app, who=who, what="prune", now=datetime.now(UTC))
        result = remote.run(command.prune(settings.app))
    if result.code:
        raise DeployError(f"prune failed on the node: {result.stderr.strip()}")
    removed = result.stdout.splitlines()
    for line in removed:
        report.say(f"  {line}")
    report.good(f"{len(removed)} removed" if removed else "nothing to remove")
