"""Reap every process that ended: children and orphans."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator

from container.supervise.core.tolerate import suppress

_ROUNDS = 50
_PAUSE_MILLISECONDS = 10


def reap(is_worker: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
    """Yield the id and exit code (minus a signal's number) of each process that ended.

    A worker is looked at before it is collected: as long as its process exists no other process can
    be given its number, so what is left of its group can be ended without hitting a stranger.
    """
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None:
            return
        pid = found.si_pid
        if is_worker(pid):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        yield pid, os.waitstatus_to_exitcode(status)


def end_strays() -> None:
    """Kill and reap orphans, and the orphans they leave in turn."""
    for _ in range(_ROUNDS):
        left = _children()
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        select.poll().poll(_PAUSE_MILLISECONDS)
        for _ in reap(lambda _: False):
            pass


def _children() -> list[int]:
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []
