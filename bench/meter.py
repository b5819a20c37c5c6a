"""Measure what sending an image costs, on both sides."""

import json
import os
import re
import resource
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.ending import descendants

MB = 1e6
HEADER = (
    f"{'':34} {'MB up':>10} {'MB down':>8} {'wall s':>7} {'cpu ws':>7} {'cpu nd':>7} "
    f"{'MB ws':>6} {'MB nd':>6}"
)


@dataclass(frozen=True)
class Cost:
    """What a way of sending an image took."""

    up: int
    down: int
    wall: float
    processor_here: float
    processor_there: float
    memory_here: int
    memory_there: int


def shown(name: str, cost: Cost) -> str:
    """Write a cost as a line of the table."""
    return (
        f"{name:34} {cost.up / MB:10.3f} {cost.down / MB:8.3f} {cost.wall:7.2f} "
        f"{cost.processor_here:7.2f} {cost.processor_there:7.2f} "
        f"{cost.memory_here / MB:6.0f} {cost.memory_there / MB:6.0f}"
    )


class Meter:
    """Counts for a node at an address: its network interface and its control group."""

    def __init__(self, address: str) -> None:
        words = ("ip", "-j", "route", "get", address)
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        self._link = json.loads(said)[0]["dev"]
        self.group = Path(_cgroup(), self._link)

    def measure(self, work: Callable[[], None]) -> Cost:
        """Run something and count what it took, on both sides."""
        # What the preparation wrote must not go to the disk at the expense of what is measured.
        os.sync()
        up, down = self.bytes("tx"), self.bytes("rx")
        here = resource.getrusage(resource.RUSAGE_CHILDREN)
        there = self._processor()
        with _peak_memory(self.group) as peak:
            began = time.monotonic()
            work()
            wall = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cost(
            up=self.bytes("tx") - up,
            down=self.bytes("rx") - down,
            wall=wall,
            processor_here=after.ru_utime + after.ru_stime - here.ru_utime - here.ru_stime,
            processor_there=self._processor() - there,
            memory_here=peak.here,
            memory_there=peak.there,
        )

    def bytes(self, way: Literal["tx", "rx"]) -> int:
        """Read how many bytes were sent to the node, or received from it."""
        return int(Path(f"/sys/class/net/{self._link}/statistics/{way}_bytes").read_text())

    def _processor(self) -> float:
        found = re.search(r"usage_usec (\d+)", (self.group / "cpu.stat").read_text())
        return int(found[1]) / 1e6 if found else 0.0


@dataclass
class _Peak:
    here: int = 0
    there: int = 0


@contextmanager
def _peak_memory(group: Path) -> Iterator[_Peak]:
    """Look every 50 ms at what memory new processes hold alone, the sum of them on each side.

    What runs inside containers does not count.
    """
    peak, ended = _Peak(), threading.Event()
    known, own = set(processes(group)), os.getpid()

    def look() -> None:
        while not ended.wait(0.05):
            inside = set(processes(group)) - known
            there = inside - set(processes(group, below="libpod-payload-"))
            peak.there = max(peak.there, sum(map(anonymous, there)))
            peak.here = max(peak.here, sum(map(anonymous, descendants(own) - inside - known)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def processes(group: Path, below: str = "") -> Iterator[str]:
    """List the processes of a control group; groups go away while they are looked at.

    With `below`, only those in a group of which a part of the path begins so.
    """
    for folder, _, _ in os.walk(group):
        if f"/{below}" not in f"{folder}/":
            continue
        try:
            yield from Path(folder, "cgroup.procs").read_text().split()
        except OSError:
            continue


def anonymous(process: str) -> int:
    """Read the memory that a process has for itself, in bytes; 0 once it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+)", text)
    return int(found[1]) * 1024 if found else 0


def _cgroup() -> str:
    return next(
        line.split()[1]
        for line in Path("/proc/mounts").read_text().splitlines()
        if " cgroup2 " in line
    )
