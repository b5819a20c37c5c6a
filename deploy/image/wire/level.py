"""Measuring, while an image is sent, what decides how the rest of it is sent."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from threading import Lock

from deploy.image.plan.sending import Rates

# What fills the buffers on the way says nothing about the link.
_BUFFERED = 2 << 20
# A guess weighs as much as measuring so many bytes.
_GUESS_BYTES = 1 << 20
# Before anything was sent, the distance tells: who answers this soon is on a local network.
_NEAR_SECONDS, _FAST = 0.005, 2e8
_BYTES_A_ROUND_TRIP, _UNKNOWN = 1e5, 2.5e6
CORES = min(os.cpu_count() or 1, 4)


@dataclass(slots=True)
class Pace:
    """One transfer: what was measured earlier (`known`), and what is measured now.

    `known.link` is 0 where nothing was ever sent to the node. The distance is asked for late: it is
    known better with each command that the node was given.
    """

    known: Rates = field(default_factory=lambda: Rates(0.0, cores=CORES))
    round_trip: Callable[[], float] = lambda: math.inf
    submitted: int = 0
    done: int = 0
    _sent: int = 0
    _seconds: float = 0.0
    _work: dict[str, list[float]] = field(default_factory=dict)
    _alone: Lock = field(default_factory=Lock)

    @property
    def rates(self) -> Rates:
        """What is known now."""
        with self._alone:
            guess = self.known.link or self._guessed()
            measured = max(0, self._sent - _BUFFERED)
            return replace(
                self.known,
                link=(_GUESS_BYTES + measured) / (_GUESS_BYTES / guess + self._seconds),
                speed=self._factor("plain", self.known.speed),
                patch=self._factor("patch", self.known.patch),
            )

    @property
    def knows_link(self) -> bool:
        """Tell whether enough was sent to know the link."""
        return self._sent > _BUFFERED + _GUESS_BYTES

    def add_sent(self, count: int, seconds: float) -> None:
        """Count some bytes that were sent."""
        with self._alone:
            self._sent += count
            if self._sent > _BUFFERED:
                self._seconds += seconds

    def add_work(self, kind: str, amount: float, seconds: float) -> None:
        """Count some work of one core: for `plain` seconds by the table, for `patch` bytes."""
        with self._alone:
            done = self._work.setdefault(kind, [0.0, 0.0])
            done[0] += amount
            done[1] += seconds

    def _factor(self, kind: str, known: float) -> float:
        amount, seconds = self._work.get(kind, (0.0, 0.0))
        return amount / seconds if seconds else known

    def _guessed(self) -> float:
        seconds = self.round_trip()
        if seconds < _NEAR_SECONDS:
            return _FAST
        return _UNKNOWN if math.isinf(seconds) else _BYTES_A_ROUND_TRIP / seconds
