"""Run the load of a bench, and read its log."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

RATE = 200


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: when it was due, how long it took in seconds, and what went wrong."""

    due: float
    took: float
    kind: str
    trouble: str


@dataclass(frozen=True, slots=True)
class Site:
    """Where visitors go: address, port, name, and the file of the authority they trust."""

    address: str
    port: int
    name: str
    authority: Path


@contextmanager
def visiting(
    site: Site, log: Path, load: str = "bench.load", *, rate: int = RATE
) -> Iterator[None]:
    """Send the load, a module's, from before the block until its end."""
    words = [site.address, str(site.port), site.name, str(site.authority), str(rate), str(log)]
    log.unlink(missing_ok=True)
    process = subprocess.Popen([sys.executable, "-m", load, *words])
    try:
        # Its own start is not what is measured.
        while not (log.exists() and log.stat().st_size):
            if process.poll() is not None:
                raise RuntimeError(f"{load} ended before its first visit")
            time.sleep(0.05)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def read(log: Path) -> tuple[Visit, ...]:
    """Read the log of a load."""
    found = []
    for line in log.read_text(encoding="utf-8").splitlines():
        due, took, kind, outcome = line.split(" ", 3)
        found.append(Visit(float(due), float(took), kind, "" if outcome == "ok" else outcome))
    return tuple(found)


def within(visits: Iterable[Visit], windows: Iterable[tuple[float, float]]) -> list[Visit]:
    """Choose the visits that were due in one of these times."""
    spans = tuple(windows)
    return [visit for visit in visits if any(began <= visit.due <= end for began, end in spans)]


def failures(visits: Iterable[Visit]) -> list[Visit]:
    """Choose the visits that failed."""
    return [visit for visit in visits if visit.trouble]


def p99(visits: Iterable[Visit]) -> float:
    """Give the 99th percentile in milliseconds; a failed visit counts with its time."""
    times = sorted(visit.took for visit in visits)
    return times[int(len(times) * 0.99)] * 1000 if times else 0.0


def gap(visits: Iterable[Visit]) -> float:
    """Give the longest time, in milliseconds, in which no answer arrived."""
    ends = sorted(visit.due + visit.took for visit in visits if not visit.trouble)
    return max((later - sooner for sooner, later in itertools.pairwise(ends)), default=0.0) * 1000
