"""Send a Python worker's heartbeats to the supervisor, once all its parts are alive."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress


class Heartbeat:
    """Write heartbeats to the pipe HEARTBEAT_FD; without that variable, do nothing.

    With `parts` a beat is sent only when each of them has beaten since the last one, so a hang
    in one thread is seen although the others go on.
    """

    def __init__(self, environment: Mapping[str, str], *parts: str) -> None:
        self._descriptor = int(environment.get("HEARTBEAT_FD", "-1"))
        self.interval = float(environment.get("HEARTBEAT_INTERVAL", "10"))
        self._parts = frozenset(parts) or frozenset({""})
        self._missing = set(self._parts)
        self._next = 0.0
        self._lock = threading.Lock()
        if self._descriptor >= 0:
            os.set_inheritable(self._descriptor, False)  # noqa: FBT003 - not for children

    def beat(self, part: str = "") -> None:
        """Report that this part is alive; may be called often and from any thread."""
        with self._lock:
            self._missing.discard(part)
            now = time.monotonic()
            if self._missing or now < self._next or self._descriptor < 0:
                return
            # Half the interval: a beat that is late by a whole loop is still in time.
            self._next = now + self.interval / 2
            self._missing = set(self._parts)
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(self._descriptor, b"H")
