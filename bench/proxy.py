"""Measure the proxy on a rehearsal node: `make bench-proxy`. Needs h2load (package nghttp2-client).

Each line ends in `met` or `NOT MET` where there is a figure to reach.
"""

from __future__ import annotations

import collections
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import proxy_cost
from bench.ending import ending_whole
from bench.lasting import lasting
from bench.switch import Bench, Deploy
from bench.visits import RATE, Visit, failures, p99, read, visiting, within
from deploy.settings.model import PROXY_BUILT
from rehearsal import lifecycle
from tests.system import visited
from tests.system.project import Project, make_project

RESULT = Path(__file__).with_name("results") / "proxy.txt"
PROJECT, NAME = "benchproxy", "shop.example.org"
APP = f"{PROJECT}-www"
BASE = "localhost/corefab-bench-proxy:latest"
IMAGE = "localhost/corefab-bench-visited:latest"
PASSWORD = "a password for a bench"  # noqa: S105 -- of a throwaway key
MIXED = "bench.mixed"
CALM_SECONDS = 20
DEPLOYS, UPDATES, RESTARTS = 20, 5, 3
DRAIN_SECONDS, SLOW_SECONDS = 10, 5
LEAST_THROUGHPUT, MOST_P99 = 0.97, 1.1
BAD = {
    "listening at 127.0.0.1 alone": {"ENV_BIND": "127.0.0.1"},
    "never listening": {"ENV_SPEAKS": "nothing"},
    "crashing after 3 s": {"ENV_LIVES": "3", "SETTLE_SECONDS": "5"},
    "failing migration": {"BEFORE_SWITCH": "/usr/bin/python3 -c 'import sys; sys.exit(1)'"},
    "a directive that Caddy does not know": {},
}
Span = tuple[float, float]


def measure_deploys(bench: Bench) -> None:
    """Deploys, bad ones among them, and updates of the proxy, under mixed load."""
    log = bench.folder / "mixed"
    spans: dict[str, list[Span]] = collections.defaultdict(list)
    with visiting(bench.site, log, MIXED):
        began = time.monotonic()
        time.sleep(CALM_SECONDS)
        calm = [(began, time.monotonic())]
        for number in range(DEPLOYS):
            done = _must(bench.deploy(ENV_GREETING=f"number {number}"))
            spans["deploys"].append((done.began, done.ended))
        for _ in range(UPDATES):
            began = time.monotonic()
            bench.project.must("proxy-deploy", "--force")
            spans["updates of the proxy"].append((began, time.monotonic()))
        bad = [_bad(bench, wrong) for wrong in BAD]
        spans["bad deploys"] = [(done.began, done.ended) for done in bad]
    visits = read(log)
    bench.tell(
        f"{RATE} requests a second: GET on fresh and kept connections, POST of 20 kB on kept ones, "
        "GET and POST over HTTP/2"
    )
    for what, times in spans.items():
        _tell_visits(bench, f"{len(times)} {what}", within(visits, times))
    for done in bad:
        bench.tell(
            f"  {done.wrong}: exit code {done.code} after {done.ended - done.began:.1f} s, digest "
            f"and release {'as before' if done.unchanged else 'CHANGED'}",
            met=done.code != 0 and done.unchanged,
        )
    bench.tell(f"p99 without a deploy: {p99(within(visits, calm)):.1f} ms")


def measure_restarts(bench: Bench) -> None:
    """Deploys of a release that may not run twice, under the same load."""
    log = bench.folder / "restart"
    with visiting(bench.site, log, MIXED):
        for number in range(RESTARTS):
            _must(bench.deploy(SWITCH="restart", SETTLE_SECONDS="0", ENV_GREETING=f"one {number}"))
    _tell_visits(bench, f"{RESTARTS} deploys with SWITCH=restart", read(log))


def measure_lasting(bench: Bench) -> None:
    """What is open while the route moves: a request, a WebSocket and an event stream."""
    _must(bench.deploy(ENV_GREETING="old"))
    with lasting(bench.project, NAME, SLOW_SECONDS) as found:
        _must(bench.deploy(ENV_GREETING="new"))
    answers = found.under_way
    bench.tell(
        f"requests of {SLOW_SECONDS} s during which the route moved: {answers.count('old')} of "
        f"{len(answers)} were answered by the old release",
        met=bool(answers) and set(answers) == {"old"},
    )
    for kind, last in found.last.items():
        lived = last - found.moved
        bench.tell(
            f"{kind} of the old release lived {lived:.1f} s after the route moved "
            f"(at least DRAIN_SECONDS={DRAIN_SECONDS})",
            met=bool(found.moved) and lived >= DRAIN_SECONDS,
        )


def measure_cost(bench: Bench) -> None:
    """Requests a second and latency, beside plain Caddy with the same route and without proxy."""
    resting = proxy_cost.memory(bench.project)
    command = f"/usr/bin/caddy respond --listen :8080 --body {proxy_cost.BODY}"
    _must(bench.deploy(IMAGE=PROXY_BUILT, CONTAINER_COMMAND=command))
    plain, alone = proxy_cost.measure(bench.project, APP, NAME)
    bench.tell(
        f"throughput {plain.rates[0]:.0f} requests a second, plain Caddy with the same route "
        f"{plain.rates[1]:.0f}: {plain.throughput:.2f} times (at least {LEAST_THROUGHPUT})",
        met=plain.throughput >= LEAST_THROUGHPUT,
    )
    bench.tell(
        f"p99 {plain.late[0]:.2f} ms, plain Caddy with the same route {plain.late[1]:.2f} ms: "
        f"{plain.p99:.2f} times (at most {MOST_P99})",
        met=plain.p99 <= MOST_P99,
    )
    bench.tell(
        f"beside them, the same answer without a proxy, from Caddy ending TLS itself: "
        f"{alone.rates[1]:.0f} requests a second, of which the proxy leaves {alone.throughput:.2f} "
        f"times; p99 {alone.late[1]:.2f} ms, with the proxy {alone.p99:.2f} times that"
    )
    loaded = proxy_cost.memory(bench.project)
    bench.tell(
        f"memory of the proxy: {resting[0]:.0f} MB resident under {RATE} requests a second, "
        f"{loaded[0]:.0f} MB after {plain.rates[0]:.0f}; with podman's part of it "
        f"{resting[1]:.0f} and {loaded[1]:.0f} MB"
    )


def _tell_visits(bench: Bench, what: str, visits: list[Visit] | tuple[Visit, ...]) -> None:
    wrong = failures(visits)
    slowest = max((one.took for one in visits), default=0.0)
    bench.tell(
        f"{what}: {len(wrong)} of {len(visits)} requests failed, p99 {p99(visits):.1f} ms, slowest "
        f"{slowest * 1000:.0f} ms",
        met=bool(visits) and not wrong,
    )
    troubles = collections.Counter((one.kind, one.trouble[:80]) for one in wrong)
    for (kind, trouble), count in troubles.most_common(4):
        bench.tell(f"  {count} {kind}: {trouble}")


def _bad(bench: Bench, wrong: str) -> Deploy:
    """Deploy what must not get visitors; one without settings has a wrong directive."""
    own = bench.project.folder / "proxy" / f"{APP}.caddy"
    if not BAD[wrong]:
        own.parent.mkdir(exist_ok=True)
        own.write_text("no_such_directive\n")
    try:
        return bench.deploy(wrong, ENV_GREETING=wrong, **BAD[wrong])
    finally:
        own.unlink(missing_ok=True)


def _must(done: Deploy) -> Deploy:
    """Stop the bench when a deploy that should succeed failed."""
    if done.code:
        raise SystemExit(done.said)
    return done


def prepare(folder: Path) -> Project:
    """Boot a node and deploy an app of plain HTTP behind the proxy."""
    project = make_project(
        folder / "project", PROJECT, IMAGE=BASE, TLS="proxy",
        CERT_PASSWORD=PASSWORD, SMTP_HOST="", HEALTH_TIMEOUT_SECONDS="10", SETTLE_SECONDS="1",
        DRAIN_SECONDS=str(DRAIN_SECONDS), STOP_SECONDS="2", CERT_NAMES=NAME, NOTIFY="false",
        WATCHDOG_SECONDS="0", HEALTH_PATH="/", PROJECT_FILES="", CPU_LIMIT="200%",
        ENV_GREETING="first", ENV_BIND="0.0.0.0", ENV_SPEAKS="http", ENV_LIVES="",  # noqa: S104
        BEFORE_SWITCH="", CONTAINER_COMMAND="",
    )  # fmt: skip
    project.must("sample-build")
    visited.build(IMAGE, project.folder, BASE)
    environment = project.folder / ".env"
    lines = [one for one in environment.read_text().splitlines() if not one.startswith("IMAGE=")]
    environment.write_text("\n".join([*lines, f"IMAGE={IMAGE}", ""]))
    for words in (
        ("cert-issue",), ("prepare", "--yes"), ("rehearsal-up",), ("deploy", "--first"),
    ):  # fmt: skip
        project.must(*words)
    return project


def main() -> int:
    """Measure, print, keep the result; the exit code is 1 when a figure was not met."""
    with ending_whole(), tempfile.TemporaryDirectory(prefix="bench-proxy-") as name:
        folder = Path(name)
        try:
            bench = Bench(prepare(folder), folder, APP)
            for measure in (measure_deploys, measure_restarts, measure_lasting, measure_cost):
                measure(bench)
        finally:
            lifecycle.down(PROJECT, folder / "project")
            for image in (IMAGE, BASE):
                remove = ["podman", "rmi", "--ignore", image]
                subprocess.run(remove, check=False, capture_output=True)
    RESULT.write_text("\n".join(bench.lines) + "\n", encoding="utf-8")
    return int(any(line.endswith("NOT MET") for line in bench.lines))


if __name__ == "__main__":
    sys.exit(main())
