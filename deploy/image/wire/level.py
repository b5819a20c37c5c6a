"""How fast the link is, and so how hard to compress."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

# What fills the buffers on the way says nothing about the link.
_BUFFERED = 4 << 20
_USUAL = 3
# As long as nothing was sent, the distance tells: who answers this soon is on a local network.
_NEAR_SECONDS = 0.005
# Below this many bytes a second, about 20 Mbit/s and 1 Mbit/s, harder work saves time.
_LEVELS = ((100e3, 19), (2.5e6, 9))
# Above so many for each core, compressing takes longer than sending.
_FAST, _LIGHT = 20e6, 1


@dataclass(slots=True)
class Pace:
    """The bytes that were sent and the seconds that took; at first, only how far the node is.

    The distance is asked for late: it is known better with each command that the node was given.
    """

    sent: int = 0
    seconds: float = 0.0
    round_trip: Callable[[], float] = lambda: math.inf
    cores: int = os.cpu_count() or 1

    def add(self, count: int, seconds: float) -> None:
        """Count some bytes that were sent."""
        self.sent += count
        self.seconds += seconds

    @property
    def near(self) -> bool:
        """Tell whether a link is most probably too fast for hard work."""
        return self.round_trip() < _NEAR_SECONDS

    @property
    def level(self) -> int:
        """The zstd level that gets the rest over soonest."""
        if self.sent <= _BUFFERED or not self.seconds:
            return _LIGHT if self.near else _USUAL
        rate = (self.sent - _BUFFERED) / self.seconds
        usual = _LIGHT if rate > _FAST * self.cores else _USUAL
        return next((level for limit, level in _LEVELS if rate < limit), usual)
