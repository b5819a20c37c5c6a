"""Write log lines to standard error without ever blocking."""

from __future__ import annotations

import os
import select

_LONGEST = 1024  # less than PIPE_BUF: a pipe that is ready takes such a line whole (pipe(7))
_STDERR = 2


def log(line: str) -> bool:
    """Write one line; drop it when the reader is not keeping up. True when it was written."""
    poller = select.poll()
    poller.register(_STDERR, select.POLLOUT)
    ready = poller.poll(0)
    if not ready or not ready[0][1] & select.POLLOUT:
        return False
    try:
        os.write(_STDERR, f"supervise: {line}".encode(errors="replace")[:_LONGEST] + b"\n")
    except OSError:
        return False
    return True
