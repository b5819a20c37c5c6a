"""Clean up when a bench is stopped: end visitors, relays and rehearsal machines."""

import contextlib
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


@contextmanager
def ending_whole() -> Iterator[None]:
    """Run every `finally` of the block also on SIGTERM and SIGHUP, then end leftover children."""
    before = {one: signal.signal(one, _end) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
        for process in descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGTERM)


def descendants(ancestor: int) -> frozenset[str]:
    """List the processes below one, by number; a process that ends meanwhile is left out."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[folder.name] = (folder / "stat").read_text().rpartition(")")[2].split()[1]
    found, below = set[str](), {str(ancestor)}
    while below := {one for one, parent in parents.items() if parent in below} - found:
        found |= below
    return frozenset(found)


def _end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 -- a signal handler's form
    for one in _SIGNALS:
        signal.signal(one, signal.SIG_IGN)  # while it cleans up
    raise SystemExit(128 + number)
