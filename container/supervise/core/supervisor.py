"""All workers: start them in order, stop them in reverse, give up together."""

from __future__ import annotations

import os
import signal

from container.notify import reloading
from container.supervise.core.account import metrics, report, sentence
from container.supervise.core.child import ENDED, HEALTHY, STARTING, WAITING, Child
from container.supervise.core.log import log
from container.supervise.core.reaper import reap
from container.supervise.core.settings import Settings
from container.supervise.core.signals import FORWARDED, STOP
from container.supervise.core.spawn import Launch, SpawnError, spawn
from container.supervise.core.systemd import Systemd
from container.supervise.core.watch import NEVER

KILLED = os.EX_SOFTWARE
_KEPT = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
         "LISTEN_FDNAMES", "HEARTBEAT_FD")  # fmt: skip
_RELOAD_SECONDS = 60.0
_SAME_ORDER_SECONDS = 0.5


class Supervisor:
    """All workers, and the messages to systemd; the loop passes in the time."""

    def __init__(self, settings: Settings, now: float) -> None:
        self._settings = settings
        self._began = now
        self._systemd = Systemd(settings.notify, settings.watchdog)
        self._environment = {key: os.environ[key] for key in os.environ if key not in _KEPT}
        if settings.listen_sockets:
            self._environment["LISTEN_FDS"] = str(settings.listen_sockets)
            self._environment["LISTEN_FDNAMES"] = settings.listen_names
        self.children = [
            Child(policy, self._environment, settings.listen_sockets) for policy in settings.workers
        ]
        self.exit_code = 0
        self._stopping = False
        self._stop_by = NEVER
        self._stop_began = NEVER
        self._reload_pid = 0
        self._reload_by = NEVER
        self._reload_again = False

    @property
    def finished(self) -> bool:
        """Check that no worker is left to wait for."""
        return all(child.state == ENDED for child in self.children)

    @property
    def healthy(self) -> bool:
        """Check that systemd's watchdog may be fed: every worker is healthy or done."""
        return not self._stopping and all(child.settled for child in self.children)

    def heed(self, number: int, now: float) -> None:
        """Handle a signal; a second request to stop kills at once."""
        if number in STOP:
            # One order often arrives twice, to the process and to its group.
            if self._stopping and now > self._stop_began + _SAME_ORDER_SECONDS:
                self._stop_by = now
            self.stop(now, f"{signal.Signals(number).name} received")
        elif number == signal.SIGHUP:
            self._reload(now)
        elif number in FORWARDED:
            for child in self.children:
                child.signal(number)

    def stop(self, now: float, why: str, code: int = 0) -> None:
        """Begin to stop the workers, in reverse order, each within its grace."""
        if self._stopping:
            return
        self._stopping = True
        self._stop_began = now
        self._stop_by = now + self._settings.stop
        self.exit_code = code
        log(f"stopping: {why}")
        self._systemd.say(now, "STOPPING=1")
        self._systemd.status(now, f"stopping: {why}")

    def reap(self, now: float) -> None:
        """Reap processes that ended."""
        workers = {child.pid: child for child in self.children if child.pid}
        for pid, code in reap():
            if pid in workers:
                workers[pid].main_ended(now, code, stopping=self._stopping)
            elif pid == self._reload_pid:
                self._reloaded(now, code)
            else:
                self._tell_probes(pid, code)

    def tick(self, now: float) -> None:
        """Do what is due, and log the events."""
        for child in self.children:
            child.tick(now)
        if now >= self._reload_by:
            self._reload_by = NEVER
            os.kill(self._reload_pid, signal.SIGKILL)
        if not self._stopping:
            self._start_next(now)
        self._tell(now)
        if self._stopping:
            self._stop_next(now)

    def due(self) -> float:
        """Return when `tick` has work next."""
        times = [child.due() for child in self.children]
        systemd = self._systemd.due(healthy=self.healthy)
        return min([*times, self._stop_by, self._reload_by, systemd])

    def shift(self, seconds: float) -> None:
        """Extend all deadlines by a time in which this process did not run."""
        for child in self.children:
            child.shift(seconds)

    def answer(self, question: bytes, now: float) -> str:
        """Answer a client of the status socket."""
        uptime = now - self._began
        if question.startswith(b"GET "):
            return metrics(self.children, now, uptime)
        return report(self.children, now, self._state(), uptime)

    def _start_next(self, now: float) -> None:
        for child in self.children:
            if child.state == WAITING:
                child.begin(now)
            if not child.settled:
                return
        if not self._systemd.ready:
            self._systemd.now_ready(now)
            log("ready: every worker is healthy")

    def _stop_next(self, now: float) -> None:
        late = now >= self._stop_by
        if late:
            self._stop_by = NEVER
        for child in reversed(self.children):
            if child.state == ENDED:
                continue
            child.end(now, 0.0 if late else child.policy.grace)
            # The next worker is stopped once the processes of this one have ended.
            if child.busy and not late:
                return

    def _tell(self, now: float) -> None:
        for child in self.children:
            for event in child.events:
                log(f"{child.policy.name}: {event}")
            child.events.clear()
            if child.gave_up and not self._stopping:
                self.stop(now, f"gave up: {child.policy.name} {child.gave_up}", child.verdict)
        if self._stopping and any(child.killed for child in self.children):
            self.exit_code = self.exit_code or KILLED
        if not self._stopping:
            self._systemd.status(now, sentence(self.children))
        starting = [one.policy.start for one in self.children if one.state in {STARTING, WAITING}]
        self._systemd.tick(now, healthy=self.healthy, extend=max(starting, default=0.0))

    def _reload(self, now: float) -> None:
        if self._stopping:
            return
        if self._reload_pid:
            # A reload in progress may have read the files before they changed again.
            self._reload_again = True
            return
        log("SIGHUP received: reloading")
        self._systemd.say(now, "\n".join(reloading()))
        if not self._settings.reload_command:
            self._reloaded(now, 0)
            return
        try:
            self._reload_pid = spawn(Launch(self._settings.reload_command, dict(self._environment)))
            self._reload_by = now + _RELOAD_SECONDS
        except SpawnError as error:
            log(str(error))
            self._reloaded(now, 1)

    def _reloaded(self, now: float, code: int) -> None:
        self._reload_pid, self._reload_by = 0, NEVER
        if code:
            log(f"the reload failed with {code}; the workers keep what they have")
        else:
            for child in self.children:
                if child.policy.reload:
                    child.signal(signal.SIGHUP)
        if self._systemd.ready:
            self._systemd.say(now, "READY=1")
        if self._reload_again:
            self._reload_again = False
            self._reload(now)

    def _tell_probes(self, pid: int, code: int) -> None:
        for child in self.children:
            if child.watch.probe is not None and child.watch.probe.exited(pid, code):
                return

    def _state(self) -> str:
        if self._stopping:
            return "stopping"
        if all(child.state == HEALTHY for child in self.children):
            return "healthy"
        return "starting" if not self._systemd.ready else "recovering"
