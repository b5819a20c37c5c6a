"""Decide when to restart a worker, and when to give up."""

from __future__ import annotations

import os

from container.supervise.core.settings import Policy


class Backoff:
    """Restart delays that double, with jitter, and the count of deaths that ends them.

    After living longer than the crash window, a worker is taken for well again and its next
    delay is the first one.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._deaths: list[float] = []
        self._failures = 0

    def died(self, now: float, lived: float) -> float | None:
        """Count a death; return the delay before the restart, or None to give up."""
        policy = self._policy
        self._deaths = [at for at in self._deaths if now - at < policy.crash_seconds] + [now]
        if policy.crash_deaths and len(self._deaths) >= policy.crash_deaths:
            return None
        self._failures = 0 if lived > policy.crash_seconds else self._failures
        delay = min(policy.backoff_max, policy.backoff_first * float(2**self._failures))
        self._failures = min(self._failures + 1, 30)
        return delay * (0.75 + 0.5 * _random())

    def shift(self, seconds: float) -> None:
        """Shift the counted deaths by a time in which this process did not run."""
        self._deaths = [at + seconds for at in self._deaths]


def _random() -> float:
    # The module `random` costs a megabyte of memory; jitter needs one byte.
    return os.urandom(1)[0] / 255
