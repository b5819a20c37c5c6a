"""tini and our supervisor in containers under a systemd that restarts them: on a rehearsal node.

The node has systemd, podman and Quadlet; clocks and processes are those of this machine, so that
times can be compared with those of the other supervisors.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from container.sample.build import build
from tests.system.rehearsal.nodes import Shell, down, keypair, machine_spec, up

NAMES = ("a", "b", "c", "d")
ROUNDS = 5
INTERVAL, GRACE = 1.0, 1.0
WATCHDOG = 3.0  # as long as three intervals
UNIT = """\
[Container]
ContainerName={name}
Image={image}
Pull=never
Notify=true
ReadOnly=true
StopTimeout=1
Volume=/var/bench:/bench
Environment=WATCHDOG_USEC={usec:.0f}
Entrypoint={entrypoint}
Exec={command}
[Service]
Restart=always
RestartSec=100ms
WatchdogSec={watchdog:g}
TimeoutStopSec=5
[Unit]
StartLimitIntervalSec=0
"""
MEMORY = """\
for unit in {units}; do
  group=$(systemctl show -P ControlGroup "$unit")
  for pid in $(find "/sys/fs/cgroup$group" -name cgroup.procs -exec cat {{}} +); do
    words=$(tr '\\0' ' ' <"/proc/$pid/cmdline")
    case $words in '/usr/bin/python3 -S /bench/worker.py'*) continue ;; esac
    awk '/^VmRSS/ {{ print $2 }}' "/proc/$pid/status"
  done
done
"""


@dataclass(frozen=True)
class Outcome:
    """What one way cost: bytes, processes, and medians in seconds."""

    memory: int
    processes: int
    restart: float
    found: float
    again: float

    def __str__(self) -> str:
        return (
            f"memory {self.memory / 1e6:6.2f} MB in {self.processes} process(es), restart after"
            f" SIGKILL {self.restart:.3f} s, a hang found after {self.found:.3f} s and served again"
            f" {self.again:.3f} s later (medians of {ROUNDS})"
        )


@dataclass(frozen=True)
class Stage:
    """A node with an image that has Python, and a folder that both sides see."""

    shell: Shell
    image: str

    @property
    def folder(self) -> Path:
        """Where /var/bench of the node is on this machine."""
        return self.shell.node.tree / "var/bench"

    def begin(self, units: dict[str, str]) -> None:
        """Write Quadlets and start their services."""
        for name, text in units.items():
            self.shell.run(f"sudo tee /etc/containers/systemd/{name}.container", text.encode())
        self.shell.run(f"sudo systemctl daemon-reload; sudo systemctl start {' '.join(units)}")

    def end(self, units: dict[str, str]) -> None:
        """Stop and remove them."""
        for name in units:
            self.shell.run(f"sudo systemctl stop {name}; sudo rm /etc/containers/systemd/{name}.*")
        self.shell.run("sudo systemctl daemon-reload")

    def resident(self, units: Sequence[str]) -> list[int]:
        """Give the memory of each process that is no worker: conmon, and what runs inside."""
        script = MEMORY.format(units=" ".join(units))
        said = self.shell.run("sudo bash -s", script.encode())
        return [int(line) * 1024 for line in said.split()]

    def starts(self, label: str, name: str, kind: str = "start") -> list[float]:
        """Give the time of each such line that a worker has noted."""
        log = self.folder / label
        text = log.read_text() if log.exists() else ""
        found = re.findall(rf"^{name} {kind} \d+ ([\d.]+)$", text, re.MULTILINE)
        return [float(at) for at in found]

    def until(self, label: str, name: str, number: int, kind: str = "start") -> float:
        """Wait for the line of this number; give its time."""
        deadline = time.monotonic() + 60
        while len(found := self.starts(label, name, kind)) < number:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{label}: {name} did not {kind} {number} times")
            time.sleep(0.002)
        return found[number - 1]

    def watchdog_time(self, unit: str, number: int) -> float:
        """Tell when systemd said for the so-manieth time that a watchdog ran out."""
        said = self.shell.run(f"sudo journalctl -q -u {unit} -o json")
        lines = [json.loads(line) for line in said.splitlines()]
        found = [line for line in lines if "Watchdog timeout" in str(line["MESSAGE"])]
        return int(found[number - 1]["__MONOTONIC_TIMESTAMP"]) / 1e6


def worker_pid(label: str, name: str) -> int:
    """Find a worker among this machine's processes, by the words it was started with."""
    wanted = "\0".join(("/usr/bin/python3", "-S", "/bench/worker.py", name, f"/bench/{label}", ""))
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes()
        except OSError:
            continue
        if words == wanted.encode():
            return int(path.parent.name)
    raise ProcessLookupError(f"{label}: no worker {name}")


@contextmanager
def stage(worker: Path, supervise: Path, tini: Path) -> Iterator[Stage]:
    """Boot a node and bring it an image with Python, the worker and both supervisors."""
    name, image = f"bench{os.getpid()}", f"localhost/bench-supervise-{os.getpid()}:latest"
    with tempfile.TemporaryDirectory(prefix="bench-node-") as folder:
        key = keypair(Path(folder))
        node = up(name, machine_spec(Path(folder), key), key)
        try:
            build(image)
            shell = Shell(node, key)
            saved = subprocess.run(["podman", "save", "-q", image], capture_output=True, check=True)
            shell.run("sudo podman load -q; sudo install -d -m 0777 /var/bench", saved.stdout)
            for source in (worker, supervise, tini):
                shell.run(f"sudo tee /var/bench/{source.name} >/dev/null", source.read_bytes())
            shell.run("sudo chmod 0755 /var/bench/tini; sudo mkdir -p /etc/containers/systemd")
            yield Stage(shell, image)
        finally:
            down(name)
            subprocess.run(["podman", "rmi", "--ignore", image], check=False, capture_output=True)


def measure_tini(at: Stage) -> Outcome:
    """Four containers, each with tini and one worker that feeds systemd's watchdog itself."""
    units = {
        f"tini-{name}": UNIT.format(
            name=f"tini-{name}", image=at.image, usec=WATCHDOG * 1e6, watchdog=WATCHDOG,
            entrypoint="/bench/tini",
            command=f"-- /usr/bin/python3 -S /bench/worker.py {name} /bench/tini-log",
        )
        for name in NAMES
    }  # fmt: skip
    return _measure(at, "tini-log", units, lambda number: at.watchdog_time("tini-b", number))


def measure_ours(at: Stage) -> Outcome:
    """One container with our supervisor and four workers."""
    words = " ".join(
        f'--worker {name} "/usr/bin/python3 -S /bench/worker.py {name} /bench/our-log"'
        for name in NAMES
    )
    policy = f"--set interval={INTERVAL:g} --set grace={GRACE:g}"
    text = UNIT.format(
        name="ours", image=at.image, usec=60e6, watchdog=60, entrypoint="/usr/bin/python3",
        command=f"/bench/supervise.pyz --sd-notify {words} {policy}",
    )  # fmt: skip
    return _measure(
        at, "our-log", {"ours": text}, lambda number: at.until("our-log", "b", number, "term")
    )


def _measure(
    at: Stage, label: str, units: dict[str, str], found_at: Callable[[int], float]
) -> Outcome:
    at.begin(units)
    for name in NAMES:
        at.until(label, name, 1)
    time.sleep(3)
    memory = at.resident(tuple(units))
    restarts, found, again = [], [], []
    for number in range(1, ROUNDS + 1):
        pid = worker_pid(label, "b")
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        restarts.append(at.until(label, "b", number + 1) - killed)
        time.sleep(6)  # longer than the window for a crash loop
    for number in range(1, ROUNDS + 1):
        os.kill(worker_pid(label, "b"), signal.SIGUSR1)
        hung = at.until(label, "b", number, "hang")
        back = at.until(label, "b", ROUNDS + 1 + number)
        seen = found_at(number)
        found.append(seen - hung)
        again.append(back - seen)
        time.sleep(2 * INTERVAL)
    at.end(units)
    return Outcome(sum(memory), len(memory), median(restarts), median(found), median(again))
