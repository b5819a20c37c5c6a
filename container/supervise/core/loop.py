"""The event loop: sleep until a descriptor is ready or a deadline comes."""

from __future__ import annotations

import os
import select
import signal
import time

from container.supervise.core.child import HEALTHY, STARTING, Child
from container.supervise.core.control import Control
from container.supervise.core.log import log
from container.supervise.core.reaper import end_strays
from container.supervise.core.settings import Settings
from container.supervise.core.signals import Signals
from container.supervise.core.spawn import FIRST_LISTENER
from container.supervise.core.supervisor import Supervisor
from container.supervise.core.tolerate import suppress

_OVERSLEPT_SECONDS = 1.0


class Loop:
    """The single thread that waits for all descriptors and deadlines."""

    def __init__(self, settings: Settings) -> None:
        self._signals = Signals()
        self._control = Control(settings.socket)
        self._now = time.monotonic()
        self._supervisor = Supervisor(settings, self._now)
        # Sleeping longer than this would hide how long the process was stopped or starved.
        self._longest = min(worker.interval for worker in settings.workers) / 2

    def run(self) -> int:
        """Supervise until every worker has ended for good; return the exit code."""
        problem = self._control.open()
        if problem:
            log(problem)
        self._supervisor.tick(self._now)
        while not self._supervisor.finished:
            self._turn()
        self._control.close()
        end_strays()
        return self._supervisor.exit_code

    def _turn(self) -> None:
        ready = self._wait()
        for descriptor in ready:
            self._control.advance(descriptor, self._now, self._answer)
        for child in self._supervisor.children:
            self._listen_to(child, ready)
        for number in self._signals.take():
            if number != signal.SIGCHLD:
                self._supervisor.heed(number, self._now)
        self._supervisor.reap(self._now)
        self._supervisor.tick(self._now)
        self._control.tick(self._now)

    def _wait(self) -> set[int]:
        """Sleep; workers get credit for the time by which this process itself woke late."""
        planned = min(self._due(), self._now + self._longest)
        poller = self._poller()
        milliseconds = max(0.0, planned - time.monotonic()) * 1000
        ready = {descriptor for descriptor, _ in poller.poll(int(milliseconds) + 1)}
        woke = time.monotonic()
        late = woke - max(planned, self._now)
        if late > _OVERSLEPT_SECONDS:
            log(f"did not run for {late:.1f} s; that is counted against no worker")
            self._supervisor.shift(late)
        self._now = woke
        return ready

    def _poller(self) -> select.poll:
        poller = select.poll()
        poller.register(self._signals.descriptor, select.POLLIN)
        for descriptor in self._control.descriptors():
            poller.register(descriptor, select.POLLIN)
        for child in self._supervisor.children:
            beats, probe = child.watch.heartbeat, child.watch.probe
            if beats and beats.descriptor >= 0 and beats.muted_until <= self._now:
                poller.register(beats.descriptor, select.POLLIN)
            if probe and probe.descriptor >= 0:
                poller.register(probe.descriptor, probe.events)
        return poller

    def _due(self) -> float:
        times = [self._supervisor.due(), self._control.due()]
        for child in self._supervisor.children:
            beats = child.watch.heartbeat
            if beats and beats.muted_until > self._now:
                times.append(beats.muted_until)
        return min(times)

    def _listen_to(self, child: Child, ready: set[int]) -> None:
        beats, probe = child.watch.heartbeat, child.watch.probe
        heard = beats and beats.descriptor in ready and beats.read(self._now)
        if heard and child.state in {STARTING, HEALTHY}:
            child.beat(self._now)
        if probe and probe.descriptor in ready:
            probe.advance()

    def _answer(self, question: bytes) -> str:
        return self._supervisor.answer(question, self._now)


def run(settings: Settings) -> int:
    """Supervise with standard input closed off; return the exit code.

    Workers inherit sockets from systemd if they want them, and no other open descriptor.
    """
    for number in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - pathlib is not loaded
        if number >= FIRST_LISTENER:
            with suppress(OSError):  # the listing's own is closed already
                os.set_inheritable(number, False)  # noqa: FBT003 - the only form there is
    reader, writer = os.pipe()
    os.close(writer)
    os.dup2(reader, 0)
    os.close(reader)
    return Loop(settings).run()
