"""The http-01 challenge: the node answers on port 80, the app is not involved."""

from dataclasses import dataclass

from certs.acme.order import Challenge, Kind
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote


@dataclass(frozen=True, slots=True)
class NodeResponder:
    """Answers challenges on the node; port 80 closes with the last one."""

    remote: Remote
    kind: Kind = "http-01"

    def present(self, challenge: Challenge) -> None:
        """Answer the challenge on port 80 of the node.

        Raises:
            DeployError: when the node cannot open the port.
        """
        token = challenge.where.rpartition("/")[2]
        with progress.step(
            f"Open port 80 for {challenge.name}", f"port 80 answers for {challenge.name}"
        ):
            command = Command("challenge", ("show", token), challenge.content.encode())
            self.remote.checked(command, "answering on port 80")

    def cleanup(self, challenge: Challenge) -> None:
        """Remove the answer; if that fails, the node closes the port after ten minutes."""
        token = challenge.where.rpartition("/")[2]
        try:
            self.remote.checked(Command("challenge", ("hide", token)), "closing port 80")
        except DeployError as error:
            output.warn(f"{error.message}; the node closes it within ten minutes")
