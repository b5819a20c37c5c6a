"""Proving names over plain HTTP: the node itself answers on port 80, the app is not touched."""

from dataclasses import dataclass

from certs.acme.challenge import Challenge, Kind
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote


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
            wanted = Command("challenge", ("show", token), challenge.content.encode())
            self.remote.checked(wanted, "answering on port 80")

    def cleanup(self, challenge: Challenge) -> None:
        """Take it away; should that fail, the node closes by itself after ten minutes."""
        token = challenge.where.rpartition("/")[2]
        try:
            self.remote.checked(Command("challenge", ("hide", token)), "closing port 80")
        except DeployError as error:
            output.warn(f"{error.message}; the node closes it by itself within ten minutes")
