"""Signals as something to wait for: a flag that stays, and a byte that wakes the loop."""

from __future__ import annotations

import os
import signal

from container.supervise.core.tolerate import suppress

STOP = (signal.SIGTERM, signal.SIGINT)
FORWARDED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH)


def block_signals() -> None:
    """Let signals wait until there are handlers again: exec takes handlers away, but not this.

    Process 1 would lose them otherwise, and any other be ended by them.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOP, *FORWARDED, signal.SIGHUP))


class Signals:
    """Collect signals; the flag counts, the byte may get lost in a full pipe without harm."""

    def __init__(self) -> None:
        self._pending: list[int] = []
        self.descriptor, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        caught = (*STOP, *FORWARDED, signal.SIGHUP, signal.SIGCHLD)
        for number in caught:
            signal.signal(number, self._note)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        # What arrived before there were handlers has waited.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)

    def take(self) -> list[int]:
        """Give each kind of signal that arrived since the last call, once, in order."""
        with suppress(BlockingIOError):
            while os.read(self.descriptor, 4096):
                pass
        taken: list[int] = []
        while self._pending:
            number = self._pending.pop(0)
            if number not in taken:
                taken.append(number)
        return taken

    def _note(self, number: int, _frame: object) -> None:
        if number not in self._pending:
            self._pending.append(number)
