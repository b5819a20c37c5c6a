"""Measure small machines and long distances, on a rehearsal node: `make bench-limits`.

Each line ends in `met` or `NOT MET` where there is a figure to reach. The distance is a relay
(bench/relay.py), which stands in for tc's netem. A rehearsal node has as much memory as the
workstation: what is measured is what the node's processes take.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.ending import ending_whole
from bench.images import texts
from bench.meter import MB, Meter, processes
from bench.relay import relayed
from bench.ways import pin
from rehearsal import lifecycle, places
from tests.system.project import Project, make_project

RESULT = Path(__file__).with_name("results") / "limits.txt"
PROJECT = "benchlimits"
PASSWORD = "a password for a bench"  # noqa: S105 -- of a throwaway key
MILLISECONDS, LOST = 150, 0.01
RUNS = 3
NOTHING_SECONDS = 3.0
NODE_MEGABYTES = 100
DEPLOYS = 10
KEPT = 3
VERBS: dict[str, tuple[str, ...]] = {
    "status": ("status",),
    "plan": ("plan",),
    "deploy, nothing to do": ("deploy",),
    "deploy, a setting changed": ("deploy",),
    "rollback": ("rollback",),
    "logs": ("logs",),
    "releases": ("releases",),
    "audit": ("audit",),
    "drift": ("drift",),
    "converge, nothing to do": ("converge", "--yes"),
    "cert-status": ("cert-status",),
    "cert-rotate-https": ("cert-rotate-https",),
    "creds-list": ("creds-list",),
    "access-list": ("access-list",),
    "image-send, nothing to send": ("image-send",),
    "prune": ("prune",),
    "image-verify": ("image-verify",),
    "image-repair, nothing damaged": ("image-repair", "--yes"),
    "creds-seal": ("creds-seal",),
    "cert-renew, not due": ("cert-renew",),
    "cert-restore": ("cert-restore",),
    "cert-rotate-ssh": ("cert-rotate-ssh",),
    "host-key-rotate": ("host-key-rotate", "--at-once"),
    "access-add": ("access-add", "ann", "--key", "ann.pub"),
    "access-remove": ("access-remove", "ann"),
    "unlock, not locked": ("unlock", "--reason", "none"),
}
# These change something, and have nothing to do when they are run again.
_ONCE = {
    *("deploy, a setting changed", "rollback", "creds-seal", "cert-restore", "cert-rotate-ssh"),
    *("host-key-rotate", "access-add", "access-remove"),
}


@dataclass(slots=True)
class Bench:
    """The lines of the result, and the project on whose node everything runs."""

    project: Project
    lines: list[str] = field(default_factory=list)

    def tell(self, text: str, *, met: bool | None = None) -> None:
        """Add a line, with a verdict if it has a target."""
        verdict = {True: "  met", False: "  NOT MET", None: ""}[met]
        self.lines.append(f"{text}{verdict}")
        print(self.lines[-1], flush=True)


def measure_distance(bench: Bench) -> None:
    """Run each verb near and far; count the round trips that the difference is."""
    near = dict(_seconds(bench, 0, 0.0))
    far = dict(_seconds(bench, MILLISECONDS, 0.0))
    lossy = dict(_seconds(bench, MILLISECONDS, LOST))
    bench.tell(
        f"{MILLISECONDS} ms away: {'near':>28} {'far':>7} {'round trips':>12} {'1 % lost':>9}"
    )
    for verb in VERBS:
        trips = (far[verb] - near[verb]) * 1000 / MILLISECONDS
        bench.tell(
            f"  {verb:32} {near[verb]:7.2f} {far[verb]:7.2f} {trips:12.0f} {lossy[verb]:9.2f}"
        )
    took = max(far["deploy, nothing to do"], lossy["deploy, nothing to do"])
    bench.tell(
        f"a deploy with nothing to do, {MILLISECONDS} ms away with 1 % loss: {took:.1f} s "
        f"(at most {NOTHING_SECONDS:.0f})",
        met=took <= NOTHING_SECONDS,
    )


def _seconds(bench: Bench, milliseconds: int, lost: float) -> Iterator[tuple[str, float]]:
    """Time each verb over a distance, the middle of several runs; every one has to succeed."""
    project = bench.project
    with relayed(project.node.address, 22, 0, milliseconds, lost) as port:
        pin(project, port)
        over = {
            "NODE_ADDRESS": "127.0.0.1",
            "NODE_PORT": str(port),
        }
        for verb, words in VERBS.items():
            once = {"deploy, a setting changed": {"ENV_GREETING": f"{milliseconds} {lost}"}}
            took = []
            for _ in range(1 if verb in _ONCE else RUNS):
                began = time.monotonic()
                project.must(*words, **over, **once.get(verb, {}))
                took.append(time.monotonic() - began)
            yield verb, statistics.median(took)
    # The node has other host keys now, and another key logs in than the one of the specification.
    pin(project, 22, project.node.address)
    for words in ("prepare", "--yes"), ("converge", "--yes"):
        project.must(*words)


def measure_small(bench: Bench) -> None:
    """Deploy an image of 300 MB to one processor, ten changed ones after it, and prune."""
    project, meter = bench.project, Meter(bench.project.node.address)
    for process in processes(meter.group):
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(process), {0})
    _grow(project, 300)
    with _largest_disk() as sizes:
        costs = [meter.measure(lambda: _run(project, "deploy"))]
        size, image = _disk(), _image_bytes(project)
        bench.tell(
            f"one processor, first deploy of an image of {image / MB:.0f} MB: {costs[0].wall:.0f} s"
        )
        for number in range(DEPLOYS):
            _change(project, number)
            costs.append(meter.measure(lambda: _run(project, "deploy")))
        costs.append(meter.measure(lambda: _run(project, "prune")))
    largest, peak = max(sizes), max(cost.memory_there for cost in costs) / MB
    bench.tell(
        f"memory of what corefab does on the node, and of the slots: {peak:.0f} MB at most "
        f"(at most {NODE_MEGABYTES})",
        met=peak <= NODE_MEGABYTES,
    )
    bench.tell(
        f"disk during {DEPLOYS + 1} deploys with KEEP_RELEASES={KEPT}: {largest / MB:.0f} MB at "
        f"most, {size / MB:.0f} MB after the first",
        met=largest <= size + 2 * image,
    )


def _run(project: Project, verb: str) -> None:
    project.must(verb)


def _grow(project: Project, megabytes: int) -> None:
    """Add a layer of so many megabytes of program-like files to the app's image."""
    image = project.settings["IMAGE"]
    with tempfile.TemporaryDirectory() as name:
        for entry, content in texts("", megabytes, int(MB), 7):
            Path(name, entry.name.lstrip("/")).write_bytes(content)
        _commit(image, name, "/opt/large")


def _change(project: Project, number: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        Path(name, "changed").write_text(f"number {number}")
        _commit(project.settings["IMAGE"], name, "/opt/small")


def _commit(image: str, folder: str, target: str) -> None:
    text = f"FROM {image}\nCOPY . {target}\n"
    words = ["podman", "build", "-q", "--network=none", "-t", image, "-f", "-", folder]
    subprocess.run(words, input=text, text=True, check=True, capture_output=True)


def _disk() -> int:
    """Add up what podman's storage and the releases take on the node's disk."""
    kept = places.folder(PROJECT).var / "lib"
    words = ("du", "-scbx", kept / "containers", kept / f"{PROJECT}-www")
    # What goes away meanwhile counts for nothing.
    said = subprocess.run(words, check=False, capture_output=True, text=True).stdout
    return int(said.splitlines()[-1].split()[0])


@contextlib.contextmanager
def _largest_disk() -> Iterator[list[int]]:
    """Look five times a second at what is on the node's disk, to the end of the block."""
    sizes, ended = [_disk()], threading.Event()

    def look() -> None:
        while not ended.wait(0.2):
            sizes.append(_disk())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield sizes
    finally:
        ended.set()
        looking.join()


def _image_bytes(project: Project) -> int:
    words = ["podman", "image", "inspect", "--format", "{{.Size}}", project.settings["IMAGE"]]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def prepare(folder: Path) -> Project:
    """Boot a node and deploy the sample app to it."""
    project = make_project(
        folder / "project",
        PROJECT,
        IMAGE="localhost/corefab-bench-limits:latest",
        CERT_PASSWORD=PASSWORD,
        SETTLE_SECONDS="0",
        DRAIN_SECONDS="1",
        KEEP_RELEASES=str(KEPT),
        SMTP_HOST="",
    )
    for words in ("sample-build",), ("cert-issue",), ("prepare", "--yes"), ("rehearsal-up",):
        project.must(*words)
    # By SSH it is far away; what visitors use stays near.
    file = project.folder / ".env"
    address = f"\nPUBLIC_ADDRESS={project.node.address}\n"
    file.write_text(file.read_text().replace("\nPUBLIC_ADDRESS=\n", address))
    keys = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", project.folder / "ann")
    subprocess.run(keys, check=True)
    project.must("deploy", "--first")
    return project


def main() -> int:
    """Measure, print, keep the result; the exit code is 1 when a figure was not met."""
    with ending_whole(), tempfile.TemporaryDirectory(prefix="bench-limits-") as name:
        folder = Path(name)
        try:
            bench = Bench(prepare(folder))
            measure_distance(bench)
            measure_small(bench)
        finally:
            lifecycle.down(PROJECT, folder / "project")
            image = "localhost/corefab-bench-limits:latest"
            subprocess.run(["podman", "rmi", "--ignore", image], check=False, capture_output=True)
    RESULT.write_text("\n".join(bench.lines) + "\n", encoding="utf-8")
    return any(line.endswith("NOT MET") for line in bench.lines)


if __name__ == "__main__":
    sys.exit(main())
