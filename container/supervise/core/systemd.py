"""Send messages to systemd, each again until the socket accepts it."""

from __future__ import annotations

from container.notify import Notifier

_RETRY_SECONDS = 1.0
_EXTEND_SECONDS = 5.0
NEVER = float("inf")


class Systemd:
    """The notify socket; READY=1 is repeated until the socket accepts it."""

    def __init__(self, address: str, watchdog: float) -> None:
        self._notifier = Notifier(address)
        self._silent = not address
        # Half of systemd's limit is what sd_watchdog_enabled(3) advises; a third allows
        # for one datagram that a full socket refused.
        self._interval = watchdog / 3
        self._beat_at = 0.0 if watchdog else NEVER
        self._extend_at = 0.0
        self._unsent: list[str] = []
        self._retry_at = NEVER
        self._status = ""
        self.ready = False

    def say(self, now: float, *states: str) -> None:
        """Send states that must arrive; refused ones are sent again, in order."""
        self._unsent += states
        self._flush(now)

    def status(self, now: float, text: str) -> None:
        """Send the status text if it changed."""
        if text != self._status:
            self._status = text
            self._unsent = [one for one in self._unsent if not one.startswith("STATUS=")]
            self.say(now, f"STATUS={text}")

    def now_ready(self, now: float) -> None:
        """Send READY=1."""
        self.ready = True
        self.say(now, "READY=1")

    def tick(self, now: float, *, healthy: bool, extend: float) -> None:
        """Feed the watchdog while all workers are healthy; ask for more time while they start."""
        if now >= self._retry_at:
            self._flush(now)
        if not self.ready and now >= self._extend_at:
            self._extend_at = now + _EXTEND_SECONDS
            if extend:
                self._notifier.send(f"EXTEND_TIMEOUT_USEC={int(extend * 1e6)}")
        if self.ready and healthy and now >= self._beat_at:
            taken = self._notifier.send("WATCHDOG=1")
            self._beat_at = now + (self._interval if taken else min(_RETRY_SECONDS, self._interval))

    def due(self, *, healthy: bool) -> float:
        """Return when `tick` has work next."""
        if self._silent:
            return NEVER
        beat = self._beat_at if self.ready and healthy else NEVER
        return min(beat, self._retry_at, NEVER if self.ready else self._extend_at)

    def _flush(self, now: float) -> None:
        self._retry_at = NEVER
        while self._unsent and not self._silent:
            if not self._notifier.send(self._unsent[0]):
                self._retry_at = now + _RETRY_SECONDS
                return
            del self._unsent[0]
