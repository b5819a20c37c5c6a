"""Measure what metrics cost a rehearsal node, beside node_exporter: `make bench-observe`.

Each line ends in `met` or `NOT MET` where there is a figure to reach. Processor time is that of
control groups, memory is what processes have for themselves.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from bench.ending import ending_whole
from bench.meter import MB, Meter, anonymous, processes
from bench.switch import Bench
from rehearsal import lifecycle, places
from tests.system.debian import fetched
from tests.system.project import Project, make_project

RESULT = Path(__file__).with_name("results") / "observe.txt"
PROJECT = "benchobserve"
IMAGE = "localhost/corefab-bench-observe:latest"
WINDOW_SECONDS, EVERY_SECONDS = 300, 15
MOST_PERCENT, MOST_MEGABYTES = 0.3, 5.0
_COUNTED = """
cd /etc/systemd/system
install -d corefab-metrics.service.d
printf '[Service]\\nSlice=counted.slice\\n' >corefab-metrics.service.d/bench.conf
systemctl daemon-reload
systemctl restart corefab-metrics.service
"""
_EXPORTER = """
systemd-run --quiet --unit=exporter /var/lib/exporter --web.listen-address=127.0.0.1:9100
curl -sS --retry 20 --retry-connrefused -o /dev/null http://127.0.0.1:9100/metrics
systemd-run --quiet --unit=scraper bash -c \\
  'while sleep 15; do curl -sS -o /dev/null http://127.0.0.1:9100/metrics; done'
"""


def measure(bench: Bench) -> None:
    """Let the script and node_exporter run beside each other."""
    project = bench.project
    # Of the node's groups, the one that its systemd has.
    group = next(Meter(project.node.address).group.rglob("init.scope")).parent
    ours = group / "counted.slice/corefab-metrics.service"
    rival = group / "system.slice/exporter.service"
    counters = {"ours": _counter(ours), "rival": _counter(rival)}
    project.ssh(_COUNTED)
    project.ssh(_EXPORTER)
    before = {name: read() for name, read in counters.items()}
    largest, theirs = _largest((ours, rival), WINDOW_SECONDS)
    spent = {name: read() - before[name] for name, read in counters.items()}
    runs = WINDOW_SECONDS / EVERY_SECONDS
    percent = spent["ours"] / WINDOW_SECONDS * 100
    bench.tell(
        f"metrics every {EVERY_SECONDS} s: {spent['ours'] / runs * 1000:.1f} ms of processor time "
        f"each, {percent:.2f} % of a core (at most {MOST_PERCENT})",
        met=percent <= MOST_PERCENT,
    )
    bench.tell(
        f"  memory: {largest / MB:.1f} MB at most (at most {MOST_MEGABYTES:.0f})",
        met=largest / MB <= MOST_MEGABYTES,
    )
    percent = spent["rival"] / WINDOW_SECONDS * 100
    bench.tell(
        f"node_exporter, asked every {EVERY_SECONDS} s: {spent['rival'] / runs * 1000:.1f} ms "
        f"each, {percent:.2f} % of a core; memory {theirs / MB:.1f} MB"
    )
    said = project.ssh("cat /run/corefab/metrics/corefab.prom")
    samples = sum(not line.startswith("#") for line in said.splitlines())
    bench.tell(f"size of what is written: {len(said) / 1000:.1f} kB, {samples} values")


def _counter(group: Path) -> Callable[[], float]:
    """Give what reads the processor time of a control group, in seconds."""

    def read() -> float:
        found = re.search(r"usage_usec (\d+)", (group / "cpu.stat").read_text())
        return int(found[1]) / 1e6 if found else 0.0

    return read


def _largest(groups: tuple[Path, Path], seconds: float) -> tuple[int, int]:
    """Look at the memory of two control groups all the time; return the most of each."""
    most, ended = [0, 0], threading.Event()

    def look() -> None:
        while not ended.wait(0.005):
            for number, group in enumerate(groups):
                most[number] = max(most[number], sum(map(anonymous, processes(group))))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        time.sleep(seconds)
    finally:
        ended.set()
        looking.join()
    return most[0], most[1]


def prepare(folder: Path) -> Project:
    """Boot a node that writes its metrics, with the sample app and node_exporter's program."""
    project = make_project(
        folder / "project",
        PROJECT,
        IMAGE=IMAGE,
        CERT_PASSWORD="a password for a bench",  # noqa: S106 -- of a throwaway key
        SETTLE_SECONDS="0",
        SMTP_HOST="",
        METRICS="on",
    )
    for words in ("sample-build",), ("cert-issue",), ("prepare", "--yes"), ("rehearsal-up",):
        project.must(*words)
    project.must("deploy", "--first")
    program = "usr/bin/prometheus-node-exporter"
    tree = fetched("node-exporter", ("prometheus-node-exporter",), program)
    shutil.copy(tree / program, places.folder(PROJECT).var / "lib/exporter")
    return project


def main() -> int:
    """Measure, print, keep the result; the exit code is 1 when a figure was not met."""
    with ending_whole(), tempfile.TemporaryDirectory(prefix="bench-observe-") as name:
        folder = Path(name)
        try:
            bench = Bench(prepare(folder), folder)
            measure(bench)
        finally:
            lifecycle.down(PROJECT, folder / "project")
    RESULT.write_text("\n".join(bench.lines) + "\n", encoding="utf-8")
    return any(line.endswith("NOT MET") for line in bench.lines)


if __name__ == "__main__":
    sys.exit(main())
