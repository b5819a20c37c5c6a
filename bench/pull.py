"""Measure machines that follow a tag, on rehearsal nodes without SSH: `make bench-pull`.

Each line ends in `met` or `NOT MET` where there is a figure to reach. Registry, authority and
visitors are on this machine, with the nodes. Bytes down and up are counted at the node's network
interface, with headers and TLS; those of layers and of the registry in the registry's log.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench import rival_updates
from bench.ending import ending_whole
from bench.images import texts
from bench.meter import Meter
from bench.rival_updates import Rival
from bench.switch import Bench
from bench.visits import Site, Visit, failures, p99, read, visiting
from rehearsal import places, stock
from tests.system import outside
from tests.system.closed import LIVE, Machine, closed

RESULT = Path(__file__).with_name("results") / "pull.txt"
NAME, REPOSITORY = "benchpull", "shop/www"
NUMBER = 77  # of the address of registry and authority
RATE = 100
RUNS = 5
AFTER_SECONDS = 5
FILES, FILE_BYTES = 2000, 15_000
BIRTH_SECONDS, RESTART_SECONDS, CHECK_SECONDS = 30, 10, 0.4
CHECK_BYTES, SMALL_BYTES, CHUNKED_BYTES = 5_000, 10_000, 400_000
PAGE_BYTES, PAGE_SECONDS = 2_900, 0.08
PAGES = "/run/corefab/proxy/status"
SETTINGS = {
    "PULL_EVERY": "yearly",
    "SETTLE_SECONDS": "5",
    "HEALTH_TIMEOUT_SECONDS": str(rival_updates.START_SECONDS),
    "STOP_SECONDS": "2",
}
KINDS = {
    "good": "",
    "never healthy": "ENV SPEAKS=nothing",
    "exits at once": "ENV LIVES=0",
    "dies after 3 s": "ENV LIVES=3",
}
_ANSWER = re.compile(r'"GET /v2/(\S+)/(blobs|manifests)/\S+ HTTP/[0-9.]+" \d+ (\d+)')
# Podman here may be too old for it; skopeo of the nodes' system makes the layers.
_CHUNKING = """\
#!/bin/bash
set -euo pipefail
[ "$1" = push ] || exec {podman} "$@"
words=("$@")
{podman} save -q --format docker-archive -o {archive} "${{words[-2]}}"
{loader} --library-path {libraries} {skopeo} --insecure-policy copy -q \\
  --dest-compress-format zstd:chunked docker-archive:{archive} "${{words[-1]}}"
rm {archive}
"""
_PARTIAL = """\
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
pull_options = {enable_partial_images = "true"}
"""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the tag: its result, bytes, and how long it took.

    `content` is what the registry gave, `down` and `up` are what the node received and sent.
    """

    result: str
    content: int
    down: int
    up: int
    seconds: float


def look(machine: Machine) -> Look:
    """Have the node look at its tag."""
    unit = f"{machine.app}-pull.service"
    meter = Meter(machine.node.address)
    status = places.folder(NAME).var / f"lib/corefab/pull/{machine.app}/status.json"
    status.unlink(missing_ok=True)
    content = fetched(machine, REPOSITORY, manifests=True)
    down, up = meter.bytes("tx"), meter.bytes("rx")
    seconds = ran(machine, unit)
    down, up = meter.bytes("tx") - down, meter.bytes("rx") - up
    content = fetched(machine, REPOSITORY, manifests=True) - content
    result = machine.status().get("result", "none")
    return Look(result, content, down, up, seconds)


def ran(machine: Machine, unit: str) -> float:
    """Run a unit to its end; return how many seconds it took."""
    machine.inside("systemctl", "start", unit, seconds=180)
    shown = ("ExecMainStartTimestampMonotonic", "ExecMainExitTimestampMonotonic")
    began, ended = (int(machine.inside("systemctl", "show", "-P", one, unit)) for one in shown)
    return (ended - began) / 1e6


def publish(machine: Machine, text: str, line: str = "", **settings: str) -> None:
    """Publish an image whose page says a text, with a layer of its own."""
    (machine.folder / "blob").write_bytes(os.urandom(rival_updates.BLOB_BYTES))
    more = f"COPY blob /\n{line}"
    machine.publish(text, more=more, **settings)


def fetched(machine: Machine, repository: str, *, manifests: bool = False) -> int:
    """Count the bytes of layers and configs that a repository gave; on request, of all of it."""
    log = (machine.world.registry.store.parent / "log").read_text()
    return sum(
        int(size)
        for name, what, size in _ANSWER.findall(log)
        if name == repository and (manifests or what == "blobs")
    )


def site(machine: Machine) -> Site:
    """Say where visitors go."""
    return Site(machine.node.address, 443, LIVE, machine.world.authority)


def measure_birth(bench: Bench, machine: Machine, system: str) -> None:
    """Boot the machine from its Ignition file until its page is there."""
    publish(machine, "one")
    machine.must("operator-key")
    machine.must("prepare", "--yes")
    machine.node_down()
    stock.tree(lambda _: None)
    with ThreadPoolExecutor() as pool:
        began = time.monotonic()
        booting = pool.submit(machine.boot)
        outside.await_address(NAME)
        with visiting(site(machine), bench.folder / system, rate=RATE // 10):
            machine.await_page(LIVE, "one")
        booting.result()
    took = min(_answered(read(bench.folder / system))) - began
    bench.tell(
        f"{system}: from the Ignition file to the first page over HTTPS: {took:.1f} s "
        f"(at most {BIRTH_SECONDS})",
        met=took <= BIRTH_SECONDS,
    )


def measure_images(bench: Bench, machine: Machine, system: str) -> None:
    """Publish a good image, bad ones and a good one again, with visitors."""
    bench.tell(f"{system}: {RATE} requests a second through the proxy, half on fresh connections")
    for kind, line in KINDS.items():
        log = bench.folder / f"{system}-{kind}"
        serving = machine.page(LIVE)
        with visiting(site(machine), log, rate=RATE):
            publish(machine, kind, line)
            first = look(machine)
            before = fetched(machine, REPOSITORY)
            again = [look(machine).result for _ in range(2)]
            more = fetched(machine, REPOSITORY) - before
        wanted = ("updated", "same", kind) if kind == "good" else ("failed", "held-back", serving)
        visits = read(log)
        right = (first.result, *set(again), machine.page(LIVE)) == wanted
        bench.tell(
            f"  {kind}: {_said(visits)}; {first.result} after {first.seconds:.1f} s, then "
            f"{', '.join(again)} with {more} bytes of layers",
            met=right and not more and not failures(visits),
        )
    publish(machine, "good again")
    first = look(machine)
    right = (first.result, machine.page(LIVE)) == ("updated", "good again")
    bench.tell(f"  a good image after them: {first.result}", met=right)


def measure_rivals(bench: Bench, machine: Machine) -> None:
    """Let podman update the same images by itself, in two ways."""
    for rival in rival_updates.rivals(machine, bench.folder):
        bench.tell(f"beside it, podman auto-update of {rival.name}:")
        with rival.installed():
            for kind, line in KINDS.items():
                _measure_rival(bench, rival, kind, line)


def _measure_rival(bench: Bench, rival: Rival, kind: str, line: str) -> None:
    rival.begin()
    log = bench.folder / f"rival-{rival.pod}-{kind}"
    runs = []
    with visiting(rival.site, log, rate=RATE):
        rival.push(line)
        for _ in range(2):
            before = fetched(rival.machine, rival_updates.REPOSITORY)
            said = rival.update()
            more = fetched(rival.machine, rival_updates.REPOSITORY) - before
            runs.append(f"{said} and {more / 1e6:.1f} MB of layers")
            time.sleep(AFTER_SECONDS)
    rival.push()
    rival.update()
    later = "taken" if rival.recovers() else "NOT taken"
    bench.tell(
        f"  {kind}: {_said(read(log))}; podman says {', at the next run '.join(runs)}; a good "
        f"image after it is {later}"
    )


def _said(visits: tuple[Visit, ...]) -> str:
    slowest = max(one.took for one in visits) * 1000
    return (
        f"{len(failures(visits))} of {len(visits)} requests failed, p99 {p99(visits):.0f} ms, "
        f"slowest {slowest:.0f} ms"
    )


def measure_check(bench: Bench, machine: Machine) -> None:
    """Look where there is nothing new, and take a small layer."""
    looks = [look(machine) for _ in range(RUNS)]
    down, seconds = _middle(looks, "down"), _middle(looks, "seconds")
    bench.tell(
        f"a check that finds nothing: {down:.0f} bytes down (at most {CHECK_BYTES}), "
        f"{_middle(looks, 'up'):.0f} up",
        met=down <= CHECK_BYTES and {one.result for one in looks} == {"same"},
    )
    bench.tell(
        f"a check that finds nothing: {seconds:.2f} s (at most {CHECK_SECONDS})",
        met=seconds <= CHECK_SECONDS,
    )
    looks = []
    for number in range(3):
        (machine.folder / "small").write_text(f"number {number}")
        machine.publish("small", more="COPY small /")
        looks.append(look(machine))
    content = _middle(looks, "content")
    bench.tell(
        f"an image with a small new layer: {content:.0f} bytes of the registry (at most "
        f"{SMALL_BYTES}), {_middle(looks, 'down'):.0f} down with headers and TLS, "
        f"{_middle(looks, 'up'):.0f} up",
        met=content <= SMALL_BYTES and {one.result for one in looks} == {"updated"},
    )


def _middle(looks: list[Look], what: str) -> float:
    return float(statistics.median(getattr(one, what) for one in looks))


def measure_page(bench: Bench, machine: Machine, when: str) -> None:
    """Have the machine make its pages, for its app and its proxy."""
    took = [ran(machine, "corefab-status.service") for _ in range(RUNS)]
    sizes = machine.inside("stat", "-c", "%s", f"{PAGES}/status", f"{PAGES}/drift").split()
    status, drift = map(int, sizes)
    bench.tell(
        f"the status page {when}: {status} bytes (at most {PAGE_BYTES}), and {drift} for fab drift",
        met=status <= PAGE_BYTES,
    )
    seconds = statistics.median(took)
    bench.tell(
        f"both pages are made in {seconds:.2f} s (at most {PAGE_SECONDS})",
        met=seconds <= PAGE_SECONDS,
    )


def measure_chunked(bench: Bench, machine: Machine) -> None:
    """Change one file of a large layer, in both formats."""
    (places.folder(NAME).etc / "containers/storage.conf").write_text(_PARTIAL)
    tree = machine.folder / "tree"
    tree.mkdir()
    for entry, content in texts("", FILES, FILE_BYTES, 7):
        (tree / entry.name.lstrip("/")).write_bytes(content)
    with _chunking(bench.folder) as path:
        ways: dict[str, Callable[[str], None]] = {
            "zstd": lambda text: machine.publish(text, more="COPY tree /tree"),
            "zstd:chunked": lambda text: machine.publish(
                text, more="COPY tree /tree", PUBLISH_FORMAT="zstd:chunked", PATH=path
            ),
        }
        for form, send in ways.items():
            send(form)
            whole = look(machine)
            (tree / "00007").write_bytes(os.urandom(FILE_BYTES))
            send(form)
            changed = look(machine)
            good = {whole.result, changed.result} == {"updated"}
            limit = "" if form == "zstd" else f" (at most {CHUNKED_BYTES / 1e3:.0f} kB)"
            bench.tell(
                f"one file of {FILES} in a layer of {FILES * FILE_BYTES / 1e6:.0f} MB, "
                f"PUBLISH_FORMAT={form}: {changed.down / 1e3:.0f} kB down{limit}, the whole image "
                f"{whole.down / 1e6:.1f} MB",
                met=(good and changed.down <= CHUNKED_BYTES) if limit else None,
            )


@contextlib.contextmanager
def _chunking(folder: Path) -> Iterator[str]:
    """Put a `podman` before the real one that pushes zstd:chunked as podman 5 does."""
    base = stock.tree(lambda _: None)
    shims = folder / "shims"
    shims.mkdir()
    text = _CHUNKING.format(
        podman=shutil.which("podman"),
        archive=folder / "chunked.tar",
        loader=next((base / "usr/lib64").glob("ld-linux-*")),
        libraries=next((base / "usr/lib").glob("*-linux-gnu")),
        skopeo=base / "usr/bin/skopeo",
    )
    (shims / "podman").write_text(text)
    (shims / "podman").chmod(0o755)
    yield f"{shims}:{os.environ['PATH']}"


def measure_restart(bench: Bench, machine: Machine) -> None:
    """Restart the machine while the registry is down."""
    log = bench.folder / "restart"
    page = machine.page(LIVE)
    machine.world.registry.stop()
    try:
        with visiting(site(machine), log, rate=RATE // 10):
            began = time.monotonic()
            machine.reboot()
            machine.await_page(LIVE, page)
            time.sleep(1)
    finally:
        machine.world.registry.start()
    visits = read(log)
    away = max((one.due for one in failures(visits)), default=began)
    took = min(_answered(one for one in visits if one.due > away)) - began
    bench.tell(
        f"from the order to restart to the page, without the registry: {took:.1f} s "
        f"(at most {RESTART_SECONDS})",
        met=took <= RESTART_SECONDS,
    )


def _answered(visits: Iterable[Visit]) -> list[float]:
    """List when requests were answered."""
    return [one.due + one.took for one in visits if not one.trouble]


def measure(bench: Bench, machine: Machine, system: str, *, whole: bool) -> None:
    """Measure machines of one generation; with `whole`, also what is the same on each."""
    measure_birth(bench, machine, system)
    if whole:
        measure_page(bench, machine, "of a machine that was just born")
    measure_images(bench, machine, system)
    if whole:
        measure_page(bench, machine, "after releases and failures")
        measure_check(bench, machine)
        measure_restart(bench, machine)
        measure_rivals(bench, machine)
        measure_chunked(bench, machine)


def main() -> int:
    """Measure, print, keep the result; the exit code is 1 when a figure was not met."""
    lines: list[str] = []
    with ending_whole(), tempfile.TemporaryDirectory(prefix="bench-pull-") as name:
        folder = Path(name)
        with closed(folder, NAME, NUMBER, **SETTINGS) as machine:
            bench = Bench(machine, folder, machine.app, lines)
            for system in stock.SUITES:
                # Nodes are made of it.
                os.environ["REHEARSAL_SUITE"] = system
                measure(bench, machine, system, whole=system == stock.SUITES[0])
    RESULT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return int(any(line.endswith("NOT MET") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
