"""Proving names by TXT records, which a command of the operator's writes."""

import subprocess
from dataclasses import dataclass

from certs.acme.challenge import Challenge, Kind
from deploy import progress, report
from deploy.errors import DeployError

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
            report.warn(f"{error.message}; the record can be taken away by hand")

    def _run(self, verb: str, challenge: Challenge) -> None:
        words = ["sh", "-c", f'{self.command} "$@"', "sh", verb, challenge.where, challenge.content]
        try:
            done = subprocess.run(
                words,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self.patience_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise DeployError(
                f"ACME_DNS_COMMAND {verb} {challenge.where} did not end", f"try it: {self.command}"
            ) from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise DeployError(
                f"ACME_DNS_COMMAND {verb} {challenge.where} failed ({done.returncode})"
                f"{': ' + said[-1] if said else ''}",
                f"try it: {self.command} {verb} {challenge.where} VALUE",
            )
