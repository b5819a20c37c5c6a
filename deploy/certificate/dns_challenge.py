"""Proving names by TXT records, which a command of the operator's writes."""

from dataclasses import dataclass

from certs.acme.challenge import Challenge, Kind
from deploy.console import output, progress
from deploy.errors import DeployError
from deploy.workstation.programs import run

_LONGEST_SECONDS = 900


@dataclass(frozen=True, slots=True)
class Zone:
    """Shows a challenge by running ACME_DNS_COMMAND; record and value are arguments, no secrets."""

    command: str
    patience_seconds: float = _LONGEST_SECONDS
    kind: Kind = "dns-01"

    def present(self, challenge: Challenge) -> None:
        """Add the value and wait until the command says by its end that it can be seen.

        Raises:
            DeployError: with the command's last line.
        """
        with progress.step(f"TXT value added to {challenge.where}"):
            self._run("add", challenge)

    def cleanup(self, challenge: Challenge) -> None:
        """Take the value away; a failure is told and stops nothing."""
        try:
            self._run("remove", challenge)
        except DeployError as error:
            output.warn(f"{error.message}; the record can be taken away by hand")

    def _run(self, verb: str, challenge: Challenge) -> None:
        # The error names the last line that the command wrote, to stdout or stderr.
        text = f'exec >&2; {self.command} "$@"'
        run(
            ["sh", "-c", text, "sh", verb, challenge.where, challenge.content],
            doing=f"ACME_DNS_COMMAND {verb} {challenge.where}",
            hint=f"try it: {self.command} {verb} {challenge.where} VALUE",
            seconds=self.patience_seconds,
        )
