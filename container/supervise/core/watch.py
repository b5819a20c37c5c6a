"""Judge a worker's health by heartbeats, probes, memory use and deadlines."""

from __future__ import annotations

import os

from container.supervise.core.settings import Policy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from container.supervise.core.probe import Probe

NEVER = float("inf")
_BEAT = b"H"
_FLOOD = 64  # bytes in one read: more than any regular worker writes
_MUTED_SECONDS = 1.0
_SECONDS_WITHOUT_CHECK = 1.0  # a worker without a check counts as ready after this long
_SOONER = 0.5  # between probes while it starts, to see soon that it is ready


class Heartbeat:
    """The pipe of beats, a byte every interval; `descriptor` is -1 once the worker closed it."""

    def __init__(self) -> None:
        # The writing end does not block either: a worker must not hang because we do not read.
        self.descriptor, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.muted_until = 0.0

    def handed_over(self) -> None:
        """Close the writing end here: the worker has its own."""
        os.close(self.writer)

    def read(self, now: float) -> bool:
        """Read what is there; True if it has a beat. After a flood, pause reading for a second."""
        if self.descriptor < 0:
            return False
        try:
            found = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return False
        if not found:
            self.close()
        if len(found) >= _FLOOD:
            self.muted_until = now + _MUTED_SECONDS
        return _BEAT in found

    def close(self) -> None:
        """Close the reading end."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


class Watch:
    """One run of a worker's process, from its start to its end; times are monotonic seconds."""

    def __init__(self, policy: Policy, environment: dict[str, str]) -> None:
        self.policy = policy
        self.heartbeat = Heartbeat() if policy.probe == "" else None
        self.probe: Probe | None = None
        self.ready = False
        self.started = self.last_sign = 0.0
        self._environment = environment
        self._failures = 0
        self._detail = ""
        self._probe_at = self._probe_end = self._measure_at = NEVER

    def begin(self, now: float) -> None:
        """Start the deadlines: the process runs."""
        self.started = self.last_sign = now
        self._probe_at = now if self._asks else NEVER
        self._measure_at = now + self.policy.interval if self.policy.memory else NEVER

    def beat(self, now: float) -> None:
        """Record a heartbeat."""
        self.last_sign, self.ready = now, True
        self._failures = 0

    def judge(self, now: float, pid: int) -> str:
        """Do what is due; return the worker's problem, or an empty text."""
        self._ask(now)
        if now < self._deadline() and self._failures < self._allowed:
            return self._measure(now, pid)
        if self.policy.probe == "none" or (self.heartbeat and self.heartbeat.read(now)):
            self.beat(now)
        else:
            return self._accusation(now)
        return ""

    def due(self) -> float:
        """Return when `judge` has work next."""
        times = [self._deadline(), self._probe_at, self._measure_at]
        if self.probe is not None:
            times.append(self._probe_end)
        return min(times)

    def shift(self, seconds: float) -> None:
        """Extend all deadlines by a time in which the supervisor did not run."""
        self.started += seconds
        self.last_sign += seconds
        self._probe_end += seconds

    def close(self) -> None:
        """Close descriptors."""
        if self.heartbeat:
            self.heartbeat.close()
        if self.probe:
            self.probe.close()
            self.probe = None

    @property
    def _asks(self) -> bool:
        return self.policy.probe not in {"", "none"}

    @property
    def _allowed(self) -> float:
        return self.policy.missed if self.ready else NEVER

    def _deadline(self) -> float:
        policy = self.policy
        if policy.probe == "none":
            return NEVER if self.ready else self.started + _SECONDS_WITHOUT_CHECK
        if not self.ready:
            return self.started + policy.start
        return NEVER if self._asks else self.last_sign + policy.missed * policy.interval

    def _ask(self, now: float) -> None:
        probe = self.probe
        if probe is not None and probe.answer is None and now >= self._probe_end:
            probe.give_up(f"no answer within {self.policy.timeout:g} s")
        if probe is not None and probe.answer is not None:
            self._take(probe, now)
            self.probe = None
        if self.probe is None and now >= self._probe_at:
            interval = self.policy.interval
            self._probe_at = now + (interval if self.ready else min(_SOONER, interval))
            self._probe_end = now + self.policy.timeout
            # Imported here: most workers use heartbeats, and imported modules stay in memory.
            from container.supervise.core.probe import make_probe  # noqa: PLC0415

            self.probe = make_probe(self.policy.probe, self._environment)

    def _take(self, probe: Probe, now: float) -> None:
        self._detail = probe.detail
        if probe.answer:
            self.beat(now)
        else:
            self._failures += 1

    def _measure(self, now: float, pid: int) -> str:
        if now < self._measure_at:
            return ""
        self._measure_at = now + self.policy.interval
        used = resident(pid)
        return f"uses {used >> 20} MiB of memory" if used > self.policy.memory else ""

    def _accusation(self, now: float) -> str:
        detail = f" ({self._detail})" if self._detail else ""
        if not self.ready:
            return f"not ready {now - self.started:.1f} s after its start{detail}"
        if self._asks:
            return f"hung: {self._failures} probes failed{detail}"
        return f"hung: no heartbeat for {now - self.last_sign:.1f} s"


def resident(pid: int) -> int:
    """Return the bytes of memory a process uses; 0 when it has ended."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:  # noqa: PTH123 - pathlib is not loaded here
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0
