"""Show an authority's challenges: by the operator's command for TXT records, or on the node."""

from dataclasses import dataclass

from certs.acme.order import Challenge, Kind
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.remote import Remote
from deploy.workstation.programs import Start, run

_LONGEST_SECONDS = 900


@dataclass(frozen=True, slots=True)
class DnsCommand:
    """dns-01: runs ACME_DNS_COMMAND with the record and value as arguments; neither is secret."""

    command: str
    timeout_seconds: float = _LONGEST_SECONDS
    kind: Kind = "dns-01"

    def present(self, challenge: Challenge) -> None:
        """Add the record; the command ends when the record is visible.

        Raises:
            DeployError: with the last line that the command printed.
        """
        with progress.step(f"Add a TXT record to {challenge.where}", f"{challenge.where}: added"):
            self._run("add", challenge)

    def cleanup(self, challenge: Challenge) -> None:
        """Remove the record; a failure is only a warning."""
        try:
            self._run("remove", challenge)
        except DeployError as error:
            output.warn(f"{error.message}; remove the record by hand")

    def _run(self, verb: str, challenge: Challenge) -> None:
        # The error names the last line that the command wrote, to stdout or stderr.
        text = f'exec >&2; {self.command} "$@"'
        run(
            ["sh", "-c", text, "sh", verb, challenge.where, challenge.content],
            doing=f"ACME_DNS_COMMAND {verb} {challenge.where}",
            hint=f"try it: {self.command} {verb} {challenge.where} VALUE",
            seconds=self.timeout_seconds,
            start=Start(operators=True),
        )


@dataclass(frozen=True, slots=True)
class NodeResponder:
    """http-01: the node answers, without the app; port 80 closes with the last one."""

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
