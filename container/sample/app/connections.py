"""The open connections: which wait, which work, and which have taken too long."""

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
    """A register that threads share; it ends connections by shutting their sockets down."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._phases: dict[socket.socket, tuple[Phase, float]] = {}

    def __len__(self) -> int:
        return len(self._phases)

    def enter(self, connection: socket.socket, phase: Phase) -> None:
        """Note that a connection is now in this phase."""
        seconds = ANSWER_SECONDS if phase is Phase.BUSY else REQUEST_SECONDS
        with self._lock:
            self._phases[connection] = (phase, time.monotonic() + seconds)

    def leave(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._lock:
            self._phases.pop(connection, None)

    def expire(self) -> None:
        """End every connection whose time is up: a slow client holds a thread no longer."""
        now = time.monotonic()
        self._end(lambda _, deadline: deadline <= now)

    def end_idle(self) -> None:
        """End the connections that wait between two requests."""
        self._end(lambda phase, _: phase is Phase.IDLE)

    def make_room(self) -> bool:
        """Tell whether one more fits; when full, end those that wait between two requests."""
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
