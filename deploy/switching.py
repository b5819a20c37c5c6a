"""Carrying out the steps by which a staged release takes over."""

import shlex
from dataclasses import dataclass

from deploy import report
from deploy.endpoint import Endpoint
from deploy.errors import DeployError
from deploy.plan import command
from deploy.plan.audit import AuditLine
from deploy.plan.command import Command
from deploy.plan.release import Manifest
from deploy.plan.steps import Kind
from deploy.prove import prove
from deploy.remote import script
from deploy.remote.remote import Remote
from deploy.settings.model import Settings

_RESTARTS_OF_A_CRASH_LOOP = 3


@dataclass(frozen=True, slots=True)
class Switching:
    """One staged release, the slot it goes to, and the release that serves until then."""

    remote: Remote
    endpoint: Endpoint
    settings: Settings
    manifest: Manifest
    previous: str
    slot: str
    what: str = "deploy"

    def carry_out(self, kind: Kind) -> None:
        """Do one step.

        Raises:
            DeployError: with what the node said.
        """
        actions = {
            "start": self._start,
            "check": self._check,
            "before": self._before,
            "move": self._move,
            "prove": self._prove,
            "finish": self._finish,
            "retire": self._retire,
        }
        actions[kind]()

    def run(self, wanted: Command) -> str:
        """Run a command; give what it printed.

        Raises:
            DeployError: with what it said when it failed.
        """
        result = self.remote.run(wanted)
        if result.code:
            said = result.stderr.strip() or f"exit code {result.code}"
            raise DeployError(f"{wanted.script} failed on the node: {said}")
        return result.stdout

    def _start(self) -> None:
        mode = self.settings.switch
        # What serves may stop before the new release is proven: the node must not need us then.
        guards = () if mode == "slots" else (script.line("guard"), script.line("undo"))
        self.run(command.start(self.app, self.release, self.slot, mode, guards))

    def _check(self) -> None:
        settings = self.settings
        self.run(
            Command(
                "prove-slot",
                (
                    self.app,
                    self.slot,
                    f"[{self.endpoint.host}]" if ":" in self.endpoint.host else self.endpoint.host,
                    settings.health_path,
                    self.manifest.certificate,
                    str(settings.health_timeout_seconds),
                    str(settings.settle_seconds),
                ),
            )
        )

    def _before(self) -> None:
        settings = self.settings
        seconds = str(settings.before_switch_seconds)
        words = (self.app, self.slot, seconds, *settings.before_switch)
        said = self.run(Command("before-switch", words))
        report.say(f"  {shlex.join(settings.before_switch)}")
        if said.strip():
            report.say(said.rstrip())

    def _move(self) -> None:
        gap = self.run(command.move(self.app, self.release)).strip()
        if gap:
            report.say(f"  the front door held for {gap} ms")

    def _prove(self) -> None:
        prove(
            self.endpoint,
            self.settings.health_path,
            self.manifest.certificate,
            timeout_seconds=self.settings.health_timeout_seconds,
            died=self._died,
        )

    def _died(self) -> str:
        word, restarts = self.run(Command("state", (self.app,))).split()
        if word in {"failed", "inactive"}:
            return f"the app is {word}"
        looping = int(restarts) >= _RESTARTS_OF_A_CRASH_LOOP
        return f"the app was restarted {restarts} times" if looping else ""

    def audit_line(self) -> AuditLine:
        """Say for the node's journal of changes what this is."""
        manifest = self.manifest
        return AuditLine(
            at=manifest.at,
            app=manifest.app,
            what=self.what,
            who=manifest.by,
            release=manifest.release,
            previous=self.previous,
            image=manifest.image_id,
            commit=manifest.commit,
            dirty=manifest.dirty,
        )

    def _finish(self) -> None:
        keep, line = self.settings.keep_releases, self.audit_line().written()
        written = self.manifest.model_dump_json(indent=1).encode()
        self.run(command.finish(self.app, self.release, keep, line, written))

    def _retire(self) -> None:
        self.run(command.retire(self.app, self.settings.drain_seconds))

    @property
    def app(self) -> str:
        """The app."""
        return self.manifest.app

    @property
    def release(self) -> str:
        """The release that takes over."""
        return self.manifest.release
