"""A clock that jumps in mid-run, for processes that were told to look at it."""

from __future__ import annotations

import re
from pathlib import Path

from tests.unit.container.conftest import require
from tests.unit.container.process import Program


def jumping(clock: Path) -> dict[str, str]:
    """Make the environment in which CLOCK_REALTIME is what a file says; +400d is an offset.

    The monotonic clock stays the kernel's own, as when somebody sets a machine's clock.
    """
    require("faketime")
    (library,) = Path("/usr/lib").glob("*/faketime/libfaketime.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }


def remove_left_behind() -> None:
    """Remove the shared memory that the library leaves of a process that was killed."""
    for file in Path("/dev/shm").glob("*faketime_s*_*"):  # noqa: S108 -- where it is
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)


def times_of_day(output: str) -> list[int]:
    """Find the times of day that a worker said."""
    return [int(text) for text in re.findall(r"clock=(-?\d+)", output)]


def last_time_of_day(program: Program) -> int:
    """Read what there is to read, and give the time said last."""
    program.take(0.05)
    return times_of_day(program.output)[-1]
