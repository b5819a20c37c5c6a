"""Turn signals into a flag and a byte that wakes the loop."""

from __future__ import annotations

import os
import signal

from container.supervise.core.tolerate import suppress

STOP = (signal.SIGTERM, signal.SIGINT)
FORWARDED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH)


def block_signals() -> None:
    """Block signals until handlers are installed: exec resets handlers, not the mask.

    Otherwise process 1 would lose them, and any other process would be killed.
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
        # Signals that arrived before the handlers were blocked until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, caught)

    def take(self) -> list[int]:
        """Return each signal that arrived since the last call, once, in order."""
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
