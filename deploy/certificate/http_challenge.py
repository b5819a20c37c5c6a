"""Proving names over plain HTTP: the node itself answers on port 80, the app is not touched."""

from dataclasses import dataclass

from certs.acme.challenge import Challenge, Kind
from deploy import progress, report
from deploy.errors import DeployError
from deploy.plan.command import Command
from deploy.remote.remote import Remote


@dataclass(frozen=True, slots=True)
class NodePage:
    """Shows challenges from the node; what it opened there closes with the last one."""

    remote: Remote
    kind: Kind = "http-01"

    def present(self, challenge: Challenge) -> None:
        """Show the file on port 80 of the node.

        Raises:
            DeployError: when the node cannot.
        """
        token = challenge.where.rpartition("/")[2]
        with progress.step(f"the node answers on port 80 for {challenge.name}"):
            result = self.remote.run(
                Command("challenge", ("show", token), challenge.content.encode())
            )
            if result.code:
                raise DeployError(f"the node cannot answer on port 80: {result.stderr.strip()}")

    def cleanup(self, challenge: Challenge) -> None:
        """Take it away; should that fail, the node closes by itself after ten minutes."""
        token = challenge.where.rpartition("/")[2]
        try:
            result = self.remote.run(Command("challenge", ("hide", token)))
            said = result.stderr.strip() if result.code else ""
        except DeployError as error:
            said = error.message
        if said:
            report.warn(f"{said}; the node stops answering by itself within ten minutes")
