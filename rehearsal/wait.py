"""Poll for a condition."""

import time
from collections.abc import Callable

from rehearsal.errors import RehearsalError

PAUSE_SECONDS = 0.05


def until(reached: Callable[[], bool], seconds: float, message: str, hint: str = "") -> None:
    """Poll until the condition holds; raise when the time is up."""
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise RehearsalError(f"{message} within {seconds:.0f} s", hint)
        time.sleep(PAUSE_SECONDS)
