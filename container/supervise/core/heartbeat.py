"""The pipe of a worker's heartbeats: one byte `H` every interval."""

from __future__ import annotations

import os

BEAT = b"H"
_FLOOD = 64  # bytes in one read: more than any regular worker writes
_MUTED_SECONDS = 1.0


class Heartbeat:
    """The reading end; `descriptor` is -1 once the worker has closed the other end."""

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
        return BEAT in found

    def close(self) -> None:
        """Close the reading end."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
