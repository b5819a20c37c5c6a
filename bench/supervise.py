"""Measure the supervisor, beside s6, supervisord and tini + systemd: `make bench-supervise`.

The last two rows are containers on a rehearsal node, whose systemd restarts them.
Each line ends in `met` or `NOT MET` where there is a figure to reach.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.ending import ending_whole
from bench.on_systemd import measure_ours, measure_tini, stage
from bench.rivals import Rivals, fetch
from container.pack import pack

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).with_name("results") / "supervise.txt"
WORKERS = ("a", "b", "c", "d")
INTERVAL, GRACE = 1.0, 1.0
IDLE_SECONDS = 30.0
QUICK = (f"interval={INTERVAL}", f"grace={GRACE}")
HANG_SECONDS = 10.0  # long enough for every supervisor that checks at all
ROUNDS = 5
# Writes a beat every third of the interval, to the supervisor or else to systemd's watchdog, and a
# line with the time whenever it starts.
WORKER = """
import os, signal, socket, sys, time
name, log = sys.argv[1], sys.argv[2]
def note(kind):
    with open(log, "a") as file: file.write(f"{name} {kind} {os.getpid()} {time.monotonic()}\\n")
def hang(*_):
    signal.signal(signal.SIGTERM, lambda *_: note("term"))
    note("hang")
    while True: time.sleep(99)
signal.signal(signal.SIGUSR1, hang)
beat = int(os.environ.get("HEARTBEAT_FD", "-1"))
pause = float(os.environ.get("HEARTBEAT_INTERVAL", "10")) / 3
notify = os.environ.get("NOTIFY_SOCKET", "") if beat < 0 else ""
if notify:
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.sendto(b"READY=1", notify)
    pause = int(os.environ["WATCHDOG_USEC"]) / 1e6 / 9
note("start")
while True:
    if beat >= 0: os.write(beat, b"H")
    if notify: systemd.sendto(b"WATCHDOG=1", notify)
    time.sleep(pause)
"""
MEMORY_LIMIT = 12e6
PROCESSOR_LIMIT = 0.001


class Bench:
    """The lines of the result, and the folder in which everything runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: list[str] = []
        self.worker = folder / "worker.py"
        self.worker.write_text(WORKER)
        self.supervise = pack(folder / "supervise.pyz")

    def tell(self, text: str, *, met: bool | None = None) -> None:
        """Add a line, with a verdict if it has a target."""
        verdict = {True: "  met", False: "  NOT MET", None: ""}[met]
        self.lines.append(f"{text}{verdict}")
        print(self.lines[-1], flush=True)

    def noted(self, log: Path, name: str, kind: str = "start") -> list[tuple[int, float]]:
        """Give process id and time of each such line of a worker."""
        text = log.read_text() if log.exists() else ""
        lines = re.findall(rf"^{name} {kind} (\d+) ([\d.]+)$", text, re.MULTILINE)
        return [(int(pid), float(at)) for pid, at in lines]

    def until(self, log: Path, name: str, number: int, kind: str = "start") -> float:
        """Wait until a worker has noted this so many times; give the time of the last."""
        deadline = time.monotonic() + 30
        while len(self.noted(log, name, kind)) < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} did not {kind} {number} times")
            time.sleep(0.002)
        return self.noted(log, name, kind)[number - 1][1]

    def command(self, name: str, log: Path) -> list[str]:
        """Make the argv of one worker."""
        return [sys.executable, "-S", str(self.worker), name, str(log)]


@contextmanager
def running(argv: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a supervisor in a session of its own; end all of it afterwards."""
    process = subprocess.Popen(argv, env=environment, start_new_session=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def ours(bench: Bench, log: Path, *policy: str) -> list[str]:
    """Make the argv of our supervisor with four workers that speak heartbeats."""
    argv = [sys.executable, str(bench.supervise), "--watchdog", f"--socket={log}.sock"]
    for name in WORKERS:
        argv += ["--worker", name, " ".join(bench.command(name, log))]
    return [*argv, *(f"--set={one}" for one in policy)]


def s6(bench: Bench, log: Path, rivals: Rivals) -> list[str]:
    """Lay out s6's service folders and make its argv."""
    scan = log.with_suffix(".s6")
    for name in WORKERS:
        (scan / name).mkdir(parents=True)
        run = scan / name / "run"
        run.write_text(f"#!/bin/sh\nexec {' '.join(bench.command(name, log))}\n")
        run.chmod(0o755)
    # s6-svscan looks for s6-supervise in /usr/bin: it gets to see one that has both.
    mount = f"mount -t overlay overlay -o lowerdir={rivals.s6}:/usr/bin /usr/bin"
    return ["unshare", "--mount", "sh", "-c", f"{mount} && exec s6-svscan {scan}"]


def supervisord(bench: Bench, log: Path, rivals: Rivals) -> list[str]:
    """Write supervisord's configuration and make its argv."""
    config = log.with_suffix(".conf")
    lines = [f"[supervisord]\nnodaemon=true\nlogfile={log}.log\npidfile={log}.pid\n"]
    lines += [f"[program:{name}]\ncommand={' '.join(bench.command(name, log))}\nautorestart=true\n"
              for name in WORKERS]  # fmt: skip
    config.write_text("\n".join(lines))
    return [sys.executable, str(rivals.supervisord), "-c", str(config)]


def resident(pid: int) -> int:
    """Give a process's resident memory in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def supervisors(pid: int, workers: set[int]) -> list[int]:
    """Find a process and its descendants that are not the workers themselves."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    found = [] if pid in workers else [pid]
    for child in children:
        found += supervisors(int(child), workers)
    return found


def processor_seconds(pid: int) -> float:
    """Give the processor time of a process, to the nanosecond."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def measure_idle(bench: Bench) -> None:
    """Memory and processor time with four children that beat every 10 s."""
    log = bench.folder / "idle"
    with running(ours(bench, log), dict(os.environ)) as process:
        for name in WORKERS:
            bench.until(log, name, 1)
        time.sleep(2)
        before, began = processor_seconds(process.pid), time.monotonic()
        time.sleep(IDLE_SECONDS)
        share = (processor_seconds(process.pid) - before) / (time.monotonic() - began)
        memory = resident(process.pid)
    bench.tell(
        f"idle memory, four children: {memory / 1e6:.2f} MB (under 12 MB)",
        met=memory < MEMORY_LIMIT,
    )
    bench.tell(f"idle processor: {share:.4%} of a core (under 0.1 %)", met=share < PROCESSOR_LIMIT)


def start_alone(bench: Bench, number: int) -> float:
    """Start a worker without a supervisor; give the seconds until it serves."""
    log = bench.folder / f"alone-{number}"
    began = time.monotonic()
    with running(bench.command("alone", log), dict(os.environ)):
        return bench.until(log, "alone", 1) - began


def measure_hang(bench: Bench) -> None:
    """Have a worker hang that does not heed SIGTERM either, so that its grace is used up."""
    log = bench.folder / "hang"
    start_time = max(start_alone(bench, number) for number in range(ROUNDS))
    found, served = [], []
    with running(ours(bench, log, *QUICK), dict(os.environ)):
        for name in WORKERS:
            bench.until(log, name, 1)
        for number in range(1, ROUNDS + 1):
            time.sleep(INTERVAL * 1.3)
            os.kill(bench.noted(log, "b")[-1][0], signal.SIGUSR1)
            hung = bench.until(log, "b", number, "hang")
            ended = bench.until(log, "b", number, "term")
            found.append(ended - hung)
            served.append(bench.until(log, "b", number + 1) - ended)
    limit, allowed = 3 * INTERVAL * 1.1, GRACE + start_time
    bench.tell(f"hang found after {max(found):.3f} s at worst of {ROUNDS} (3 intervals of"
               f" {INTERVAL:g} s + 10 %: {limit:.1f} s)", met=max(found) <= limit)  # fmt: skip
    bench.tell(f"serves again {max(served):.3f} s after that at worst (grace {GRACE:g} s + its"
               f" start, {start_time:.3f} s at worst of {ROUNDS} alone)",
               met=max(served) <= allowed)  # fmt: skip


def compare(
    bench: Bench, label: str, argv: Callable[[Path], list[str]], environment: dict[str, str]
) -> None:
    """Memory of the supervisor's processes, how soon a killed worker is back, and a hung one."""
    log = bench.folder / label
    latencies = []
    with running(argv(log), environment) as process:
        for name in WORKERS:
            bench.until(log, name, 1)
        time.sleep(3)
        workers = {bench.noted(log, name)[-1][0] for name in WORKERS}
        pids = supervisors(process.pid, workers)
        memory = sum(resident(pid) for pid in pids)
        for number in range(1, ROUNDS + 1):
            pid, _ = bench.noted(log, "b")[-1]
            os.kill(pid, signal.SIGKILL)
            killed = time.monotonic()
            latencies.append(bench.until(log, "b", number + 1) - killed)
            time.sleep(6)  # longer than any supervisor's window for a crash loop
        os.kill(bench.noted(log, "b")[-1][0], signal.SIGUSR1)
        hung = bench.until(log, "b", 1, "hang")
        time.sleep(HANG_SECONDS)
        ended = bench.noted(log, "b", "term")
    never = f"not found within {HANG_SECONDS:g} s"
    seen = f"found after {ended[0][1] - hung:.3f} s" if ended else never
    bench.tell(
        f"{label:17} memory {memory / 1e6:6.2f} MB in {len(pids)} process(es), restart after"
        f" SIGKILL {median(latencies):.3f} s (median of {ROUNDS}), a hang {seen}"
    )


def main() -> int:
    """Measure, print, keep the result; the exit code is 1 when a figure was not met."""
    with ending_whole(), tempfile.TemporaryDirectory(prefix="bench-supervise-") as folder:
        bench = Bench(Path(folder))
        bench.tell(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores")
        measure_idle(bench)
        measure_hang(bench)
        rivals = fetch()
        compare(bench, "corefab", lambda log: ours(bench, log, *QUICK), dict(os.environ))
        if rivals.s6:
            compare(bench, "s6", lambda log: s6(bench, log, rivals), rivals.environment)
        if rivals.supervisord:
            compare(bench, "supervisord", lambda log: supervisord(bench, log, rivals),
                    rivals.environment)  # fmt: skip
        if rivals.tini:
            with stage(bench.worker, bench.supervise, rivals.tini) as node:
                bench.tell(f"{'corefab + systemd':17} {measure_ours(node)}")
                bench.tell(f"{'tini + systemd':17} {measure_tini(node)}")
        for name, problem in rivals.missing.items():
            bench.tell(f"{name} could not be fetched: {problem}", met=False)
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text("\n".join(bench.lines) + "\n")
        return int(any(line.endswith("NOT MET") for line in bench.lines))


if __name__ == "__main__":
    sys.exit(main())
