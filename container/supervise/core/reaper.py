"""Reap every process that ended: children and orphans."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator

from container.supervise.core.tolerate import suppress

_ROUNDS = 50
_PAUSE_MILLISECONDS = 10


def reap() -> Iterator[tuple[int, int]]:
    """Yield the id and exit code (minus a signal's number) of each process that ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to what is left of a process group; return whether anything was.

    As long as a process of the group exists, no other group can be given its number.
    """
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


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
        for _ in reap():
            pass


def _children() -> list[int]:
    pid = os.getpid()
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except OSError:
        return []
