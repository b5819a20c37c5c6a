"""Measure the rates of a transfer, by which the rest of it is compressed."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from deploy.image.plan.sending import Rates

# The first bytes only fill buffers and say nothing about the link.
_BUFFERED = 2 << 20
# The weight of the estimate, in measured bytes.
_GUESS_BYTES = 1 << 20
# The estimate before anything was sent: a node that answers within this time is on a local network.
_NEAR_SECONDS, _FAST = 0.005, 2e8
_BYTES_A_ROUND_TRIP, _UNKNOWN = 1e5, 2.5e6
CORES = min(os.cpu_count() or 1, 4)


@dataclass(slots=True)
class RateMeter:
    """The rates of one transfer: measured earlier (`known`) and during this transfer.

    `known.link` is 0 when nothing was sent to the node yet. `round_trip` is called late, since its
    result improves with each command sent to the node.
    """

    known: Rates = field(default_factory=lambda: Rates(0.0, cores=CORES))
    round_trip: Callable[[], float] = lambda: math.inf
    submitted: int = 0
    done: int = 0
    _sent: int = 0
    _seconds: float = 0.0
    _work: dict[str, list[float]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def rates(self) -> Rates:
        """The rates as measured so far."""
        with self._lock:
            estimate = self.known.link or self._estimate()
            measured = max(0, self._sent - _BUFFERED)
            return replace(
                self.known,
                link=(_GUESS_BYTES + measured) / (_GUESS_BYTES / estimate + self._seconds),
                speed=self._factor("plain", self.known.speed),
                patch=self._factor("patch", self.known.patch),
            )

    @property
    def knows_link(self) -> bool:
        """Whether enough was sent to measure the link."""
        return self._sent > _BUFFERED + _GUESS_BYTES

    def add_sent(self, count: int, seconds: float) -> None:
        """Record bytes sent and the time this took."""
        with self._lock:
            self._sent += count
            if self._sent > _BUFFERED:
                self._seconds += seconds

    def add_work(self, kind: str, amount: float, seconds: float) -> None:
        """Record work of one core: for `plain` in expected seconds, for `patch` in bytes."""
        with self._lock:
            done = self._work.setdefault(kind, [0.0, 0.0])
            done[0] += amount
            done[1] += seconds

    def _factor(self, kind: str, known: float) -> float:
        amount, seconds = self._work.get(kind, (0.0, 0.0))
        return amount / seconds if seconds else known

    def _estimate(self) -> float:
        seconds = self.round_trip()
        if seconds < _NEAR_SECONDS:
            return _FAST
        return _UNKNOWN if math.isinf(seconds) else _BYTES_A_ROUND_TRIP / seconds
