"""The open connections: idle, busy, and overdue ones."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

LIMIT = 512
REQUEST_SECONDS = 15.0  # for a handshake, and for a request from its first byte to its last header
ANSWER_SECONDS = 30.0


class Phase(Enum):
    """What a connection is doing."""

    NEW = "new"
    BUSY = "busy"
    IDLE = "idle"


class Connections:
    """A thread-safe list; it ends connections by shutting down their sockets."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phases: dict[socket.socket, tuple[Phase, float]] = {}

    def __len__(self) -> int:
        return len(self._phases)

    def enter(self, connection: socket.socket, phase: Phase) -> None:
        """Record the phase of a connection."""
        seconds = ANSWER_SECONDS if phase is Phase.BUSY else REQUEST_SECONDS
        with self._lock:
            self._phases[connection] = (phase, time.monotonic() + seconds)

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._phases.pop(connection, None)

    def expire(self) -> None:
        """End every overdue connection, so that slow clients do not hold threads."""
        now = time.monotonic()
        self._end(lambda _, deadline: deadline <= now)

    def end_idle(self) -> None:
        """End the idle connections."""
        self._end(lambda phase, _: phase is Phase.IDLE)

    def make_room(self) -> bool:
        """Check that one more fits; when full, end the idle ones."""
        if len(self) < LIMIT:
            return True
        self.end_idle()
        return False

    def _end(self, chosen: Callable[[Phase, float], bool]) -> None:
        with self._lock:
            ended = [one for one, state in self._phases.items() if chosen(*state)]
        for connection in ended:
            with suppress(OSError):
                # The base class's method: SSLSocket.shutdown would take the TLS state away
                # under the thread that is using it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
