"""One worker: its process, state and history."""

from __future__ import annotations

import os
import signal

from container.supervise.core.backoff import Backoff
from container.supervise.core.reaper import signal_group
from container.supervise.core.settings import Policy
from container.supervise.core.spawn import Launch, SpawnError, spawn
from container.supervise.core.tolerate import suppress
from container.supervise.core.watch import NEVER, Watch

WAITING, STARTING, HEALTHY, ENDING, RESTING, ENDED = (
    "waiting", "starting", "healthy", "ending", "resting", "ended",
)  # fmt: skip
_REASONS = 5
_NOT_FOUND = 127  # as a shell says it
# How often what is left of a group is looked for: its end need not be reported to this process.
_LOOK_SECONDS = 0.1


class Child:
    """A worker; `events` are still to be logged.

    States: waiting for its turn, starting, healthy, ending (asked to stop), resting (until its
    restart), ended (for good). `gave_up` says why, when it ended for a bad reason, and `verdict`
    is then the supervisor's exit code: EX_TEMPFAIL for a crash loop, so that systemd's own restart
    with its growing delays takes over; 127 for no such command; else the worker's own.
    """

    def __init__(self, policy: Policy, environment: dict[str, str], listeners: int) -> None:
        self.policy = policy
        self.state = WAITING
        self.pid = 0
        self.restarts = 0
        self.reasons: list[str] = []
        self.events: list[str] = []
        self.exit_code = 0
        self.killed = False
        self.gave_up = ""
        self.verdict = os.EX_TEMPFAIL
        self._listeners = listeners if policy.listen else 0
        self._environment = {**environment, **policy.environment}
        self._backoff = Backoff(policy)
        self.watch = Watch(policy, self._environment)
        self._why = ""
        self._kill_at = self._restart_at = self._look_at = NEVER
        self._group = 0
        self._ended = (0, False)

    @property
    def busy(self) -> bool:
        """Check that its process, or one that it left in its group, is still there."""
        return bool(self.pid or self._group)

    @property
    def settled(self) -> bool:
        """Check that it is healthy, or ended as intended."""
        return self.state == HEALTHY or (self.state == ENDED and not self.gave_up)

    def begin(self, now: float) -> None:
        """Start the process; give up at once if the command does not exist."""
        self._restart_at = NEVER
        self._why, self.killed = "", False
        self.watch.close()
        self.watch = Watch(self.policy, self._environment)
        try:
            self.pid = spawn(self._launch())
        except SpawnError as error:
            self._not_started(error, now)
            return
        finally:
            if self.watch.heartbeat:
                self.watch.heartbeat.handed_over()
        self.state = STARTING
        self.watch.begin(now)
        self.events.append(f"started as process {self.pid}")

    def end(self, now: float, grace: float, why: str = "") -> None:
        """Ask it to stop, once; after `grace` seconds kill it with everything it started.

        With a reason it is started again afterwards; without one it is to stay away.
        """
        if self.state in {WAITING, RESTING}:
            self.state, self._restart_at = ENDED, NEVER
        elif self.state == ENDING:
            self._kill_at = self._kill_at if self.killed else min(self._kill_at, now + grace)
        elif self.state != ENDED:
            self.state, self._why, self._kill_at = ENDING, why, now + grace
            if why:
                self.events.append(f"{why}; SIGTERM")
            self.signal(signal.SIGTERM)
            self.signal(signal.SIGCONT)  # a stopped process would not handle SIGTERM

    def signal(self, number: int) -> None:
        """Send a signal to its main process."""
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, number)

    def main_ended(self, now: float, code: int, *, stopping: bool) -> None:
        """Record that its main process ended with this code (minus the signal's number).

        Others of its group, such as what a shell started, get the rest of the grace where the
        worker was asked to stop; else they are killed.
        """
        group, patient = self.pid, self.state == ENDING and not self.killed
        if signal_group(group, signal.SIGTERM if patient else signal.SIGKILL):
            if patient:
                self.events.append(f"{describe(code)}; waiting for the rest of its process group")
                self.pid, self._group, self._ended = 0, group, (code, stopping)
                self._look_at = now + _LOOK_SECONDS
                return
            if not self.killed:
                self.events.append("the rest of its process group was killed")
        self.exited(now, code, stopping=stopping)

    def exited(self, now: float, code: int, *, stopping: bool) -> None:
        """Record that all its processes ended, the main one with this code."""
        lived = now - self.watch.started
        why = self._why or f"{describe(code)} after {lived:.1f} s"
        meant = stopping or (self.state == ENDING and not self._why)
        self.watch.close()
        self.pid, self.exit_code = 0, code
        self._group, self._kill_at, self._look_at = 0, NEVER, NEVER
        restart = self.policy.restart
        # One that was stopped for a failure has failed, even if it then exited with 0.
        failed = code != 0 or bool(self._why)
        if meant:
            self.state = ENDED
        elif restart == "never" or (restart == "on-failure" and not failed):
            self.state = ENDED
            self.gave_up = why if failed else ""
            if code:
                self.verdict = code if code > 0 else 128 - code
            self.events.append(f"{why}; not to be started again")
        else:
            self._rest(now, lived, why)

    def beat(self, now: float) -> None:
        """Record a heartbeat."""
        self.watch.beat(now)
        self._notice(now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if now >= self._restart_at:
            self.restarts += 1
            self.begin(now)
        if now >= self._kill_at:
            self._kill()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            if not signal_group(self._group, 0):
                code, stopping = self._ended
                self.exited(now, code, stopping=stopping)
        if self.state in {STARTING, HEALTHY}:
            wrong = self.watch.judge(now, self.pid)
            self._notice(now)
            if wrong:
                self.end(now, self.policy.grace, wrong)

    def due(self) -> float:
        """Return when `tick` has work next."""
        watched = self.watch.due() if self.state in {STARTING, HEALTHY} else NEVER
        return min(watched, self._restart_at, self._kill_at, self._look_at)

    def shift(self, seconds: float) -> None:
        """Extend all deadlines by a time in which the supervisor did not run."""
        self._kill_at += seconds
        self.watch.shift(seconds)
        self._backoff.shift(seconds)

    def _launch(self) -> Launch:
        policy = self.policy
        launch = Launch(policy.command, dict(self._environment))
        launch.uid, launch.gid = policy.uid, policy.gid
        launch.directory, launch.limits = policy.directory, policy.limits
        launch.listeners = self._listeners
        if self.watch.heartbeat:
            launch.heartbeat = self.watch.heartbeat.writer
            launch.environment["HEARTBEAT_INTERVAL"] = f"{policy.interval:g}"
        return launch

    def _notice(self, now: float) -> None:
        if self.state == STARTING and self.watch.ready:
            self.state = HEALTHY
            self.events.append(f"healthy after {now - self.watch.started:.1f} s")

    def _kill(self) -> None:
        self.killed = True
        self._kill_at = NEVER
        group = self.pid or self._group
        self.events.append(f"did not heed SIGTERM; SIGKILL to its process group {group}")
        signal_group(group, signal.SIGKILL)
        self.signal(signal.SIGKILL)  # it may have left its group

    def _not_started(self, error: SpawnError, now: float) -> None:
        self.watch.close()
        self.exit_code = _NOT_FOUND
        why = f"cannot be executed: {error}"
        if error.missing and not self.restarts:
            self.state, self.gave_up, self.verdict = ENDED, why, _NOT_FOUND
            self.events.append(why)
        else:
            self._rest(now, 0.0, why)

    def _rest(self, now: float, lived: float, why: str) -> None:
        self.killed = False
        self.reasons = [*self.reasons, why][-_REASONS:]
        # A hang after being healthy is restarted at once and not counted: detecting it takes three
        # intervals, which slows a loop of hangs enough.
        ended_by_us = self._why and self.watch.ready
        delay = 0.0 if ended_by_us else self._backoff.died(now, lived)
        if delay is not None:
            self.state, self._restart_at = RESTING, now + delay
            self.events.append(f"{why}; starting again in {delay:.2f} s")
            return
        deaths, seconds = self.policy.crash_deaths, self.policy.crash_seconds
        self.state = ENDED
        self.gave_up = f"died {deaths} times within {seconds:g} s (last: {why})"
        self.events.append(self.gave_up)


def describe(code: int) -> str:
    """Describe how a process ended."""
    if code < 0:
        named = -code in signal.Signals.__members__.values()
        return f"killed by {signal.Signals(-code).name if named else f'signal {-code}'}"
    return f"ended with exit code {code}"
