"""Measure how images reach a node, beside other ways: `make bench-image`.

Bytes are those of the node's network interface, all headers and the login included. Wall time is
that of the whole command. Both sides share this machine's processors. Each line ends in `met` or
`NOT MET` where there is a figure to reach.

    python -m bench.image --links 20,5 --cases first,base --rounds 1 --no-large

measures a part, and writes no result.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cases import CASES, Case, Images
from bench.ending import ending_whole
from bench.images import (
    Built,
    bound,
)
from bench.meter import HEADER, MB, Cost, Meter, shown
from bench.ways import LIMIT_SECONDS, OURS, PLAIN, RSYNC, SCP, WHOLE, ZSTD, Ways
from tests.system.project import make_project

RESULT = Path(__file__).with_name("results") / "image.txt"
SECRETS = {"CERT_PASSWORD": "bench-only-1", "SMTP_PASSWORD": "bench-only-2"}
# At most this times the quickest rival's time; where the link is slow and the node has an earlier
# image, every rival takes at least so many times ours.
_NO_SLOWER, _FAR_BEHIND = 1.05, 1.2
_MEMORY_MIB = 40


@dataclass(frozen=True)
class Link:
    """A line to the node; without megabits, the machine's own. `part` of the image goes over it.

    Over a `slow` one the whole-image ways are measured once: they send the same each time, and the
    link is what takes the time. `podman image scp` is so on the others too, and left out of slow
    ones: it waits a round trip for every few kilobytes.
    """

    key: str
    megabits: int = 0
    milliseconds: int = 0
    part: int = 1
    slow: bool = False

    @property
    def title(self) -> str:
        """Return the link's name."""
        if not self.megabits:
            return "full speed"
        return f"{self.megabits} Mbit/s and {self.milliseconds} ms"


LINKS = (
    Link("full"),
    Link("200", 200, 5),
    Link("20", 20, 40, part=4, slow=True),
    Link("5", 5, 120, part=8, slow=True),
)
Costs = dict[tuple[str, str], Cost]


class Bench:
    """The measuring tools, and the lines of the result."""

    def __init__(self, ways: Ways, wanted: argparse.Namespace) -> None:
        self.ways, self.wanted = ways, wanted
        self.meter = Meter(ways.address)
        self.lines: list[str] = []

    def tell(self, text: str, *, met: bool | None = None) -> None:
        """Add a line, with a verdict if it has a target."""
        verdict = {True: "  met", False: "  NOT MET", None: ""}[met]
        self.lines.append(f"{text}{verdict}")
        print(self.lines[-1], flush=True)

    def measure(self, way: str, new: Built, door: tuple[str, int]) -> Cost:
        """Send an image by a way through a door; count what that took."""
        with self.ways.through(door):
            return self.meter.measure(partial(self.ways.every[way], new))


def main() -> int:
    """Measure everything and write the table; 1 when a target was missed."""
    wanted = _arguments()
    with (
        ending_whole(),
        tempfile.TemporaryDirectory(prefix="corefab-bench-", dir="/var/tmp") as name,
    ):
        folder = Path(name)
        project = make_project(
            folder / "project", f"bench{os.getpid()}", IMAGE="localhost/bench:1", **SECRETS
        )
        try:
            project.must("cert-issue")
            project.must("prepare", "--yes")
            project.must("rehearsal-up")
            ways = Ways(project, folder)
            ways.let_root_in()
            bench = Bench(ways, wanted)
            _measure(bench, folder)
        finally:
            project.node_down()
            _remove_images()
    if not wanted.partly:
        RESULT.write_text("\n".join(bench.lines) + "\n")
    return int(any(line.endswith("NOT MET") for line in bench.lines))


def _remove_images() -> None:
    line = "podman image ls -q --filter reference='localhost/bench*' | xargs -r podman rmi -f"
    subprocess.run(["bash", "-c", line], check=False, capture_output=True)


def _arguments() -> argparse.Namespace:
    links, cases = [link.key for link in LINKS], list(CASES)
    parser = argparse.ArgumentParser(description="measure how images reach a node")
    parser.add_argument("--links", default=",".join(links), help="some of " + ",".join(links))
    parser.add_argument("--cases", default=",".join(cases), help="some of " + ",".join(cases))
    parser.add_argument("--ways", default="", help="words of the rivals to measure, or all")
    parser.add_argument("--rounds", type=int, default=3, help="of which the middle one counts")
    parser.add_argument("--large", action=argparse.BooleanOptionalAction, default=True)
    found = parser.parse_args()
    found.partly = len(sys.argv) > 1
    found.links, found.cases = found.links.split(","), found.cases.split(",")
    return found


def _measure(bench: Bench, folder: Path) -> None:
    made = Images(folder)
    found: dict[str, Costs] = {}
    for link in LINKS:
        if link.key in bench.wanted.links:
            cases = [one for one in made.cases(link.part) if one.key in bench.wanted.cases]
            found[link.key] = _over(bench, link, cases)
    _figures(bench, found)
    if bench.wanted.large:
        _large(bench, made)


def _over(bench: Bench, link: Link, cases: Sequence[Case]) -> Costs:
    """Measure each case by each way over a link, beside each other."""
    size = cases[0].new.size / MB
    bench.tell(f"image of {size:.0f} MB, link: {link.title}")
    if link.megabits:
        bench.tell("  ways that send the whole image are measured once (each time the same bytes),")
        bench.tell(f"  and ended after {LIMIT_SECONDS} s; podman image scp at short distances only")
    bench.tell(HEADER)
    costs: Costs = {}
    with ExitStack() as stack:
        door = bench.ways.door
        if link.megabits:
            door = stack.enter_context(bench.ways.relay(link.megabits, link.milliseconds))
        for case in cases:
            costs |= _case(bench, link, case, door)
            _told(bench, link, case, costs)
    return costs


def _case(bench: Bench, link: Link, case: Case, door: tuple[str, int]) -> Costs:
    least = bound(case.new, case.held) if case.new is not case.held else 0
    bench.tell(f"{case.title} (least, by zstd: {least} bytes)")
    found: dict[str, list[Cost]] = {}
    for number in range(bench.wanted.rounds):
        # In turns: what the machine does besides then meets each way.
        for way in _ways(bench, link, case, first=number == 0):
            bench.ways.prepare(way, case.held)
            found.setdefault(way, []).append(bench.measure(way, case.new, door))
    costs = {}
    for way, several in found.items():
        costs[case.key, way] = sorted(several, key=lambda cost: cost.wall)[len(several) // 2]
        ended = ", ended" if costs[case.key, way].wall > LIMIT_SECONDS and way != OURS else ""
        bench.tell("  " + shown(way + ended, costs[case.key, way]))
    return costs


def _ways(bench: Bench, link: Link, case: Case, *, first: bool) -> Iterable[str]:
    """Choose what is measured in a round: several times only where times are near each other."""
    near: tuple[str, ...] = ()
    if case.key in {"nothing", "small"}:
        near = (OURS, RSYNC)
    elif case.key in {"first", "base"} and not link.megabits:
        near = (OURS, RSYNC, PLAIN, ZSTD)
    words = bench.wanted.ways.split(",") if bench.wanted.ways else [""]
    for way in bench.ways.every:
        once = way == SCP or (link.slow and way in WHOLE)
        once |= way in WHOLE and bool(link.megabits) and case.key != "base"
        again = (once and case.held is not None) or (link.slow and way == SCP)
        chosen = way == OURS or any(word in way for word in words)
        if chosen and not again and (first or way in near):
            yield way


def _told(bench: Bench, link: Link, case: Case, costs: Costs) -> None:
    """Compare our time with the quickest rival's."""
    ours = costs[case.key, OURS].wall
    rivals = {
        way: costs.get((case.key, way), costs.get(("first", way)))
        for way in (PLAIN, ZSTD, SCP, RSYNC)
    }
    times = {way: cost.wall for way, cost in rivals.items() if cost}
    if not times:
        return
    quickest = min(times, key=lambda way: times[way])
    share = ours / times[quickest]
    limit = 1 / _FAR_BEHIND if link.slow and case.held else _NO_SLOWER
    bench.tell(
        f"{link.title}, {case.title}: {ours:.2f} s, {quickest} {times[quickest]:.2f} s: "
        f"{share:.2f} times, limit {limit:.2f}",
        met=share <= limit,
    )


def _figures(bench: Bench, found: Mapping[str, Costs]) -> None:
    """Compare bytes and memory with the figures to reach."""
    full = found.get("full", {})
    if cost := full.get(("nothing", OURS)):
        bench.tell(f"nothing changed: {cost.up} bytes up, limit 20000", met=cost.up < 20_000)
    if cost := full.get(("small", OURS)):
        bench.tell(f"small file: {cost.up} bytes up, limit 100000", met=cost.up < 100_000)
    for key, costs in found.items():
        ours, zstd = costs.get(("first", OURS)), costs.get(("first", ZSTD))
        if key in {"20", "5"} and ours and zstd:
            share = ours.up / zstd.up
            text = f"{key} Mbit/s, first: {share:.1%} of the bytes of save/zstd -3/load, limit 95 %"
            bench.tell(text, met=share <= 0.95)
    if bases := [costs["base", OURS] for costs in found.values() if ("base", OURS) in costs]:
        there = max(cost.memory_there for cost in bases) / 2**20
        text = f"base updated: {there:.0f} MiB at the most on the node, limit {_MEMORY_MIB}"
        bench.tell(text, met=there <= _MEMORY_MIB)


def _large(bench: Bench, made: Images) -> None:
    cases = made.large()
    size = cases[0].new.size / MB
    bench.tell(f"image of {size:.0f} MB, with a layer of 700 MB, link: full speed")
    bench.tell(HEADER)
    costs: Costs = {}
    for case in cases:
        bench.tell(case.title)
        for way in (OURS, PLAIN):
            bench.ways.prepare(way, case.held)
            costs[case.key, way] = bench.measure(way, case.new, bench.ways.door)
            bench.tell("  " + shown(way, costs[case.key, way]))
        _told(bench, Link("full"), case, costs)
    ours = [cost for (_, way), cost in costs.items() if way == OURS]
    there = max(cost.memory_there for cost in ours) / 2**20
    here = max(cost.memory_here for cost in ours) / 2**20
    bench.tell(f"1 GB: {there:.0f} MiB at the most on the node, limit 256", met=there < 256)
    bench.tell(f"1 GB: {here:.0f} MiB at the most on the workstation, limit 512", met=here < 512)


if __name__ == "__main__":
    sys.exit(main())
