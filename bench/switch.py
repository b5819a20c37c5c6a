"""Measure deploys under load, on a rehearsal node: `make bench-switch`.

Each line ends in `met` or `NOT MET` where there is a figure to reach. Visitors come from this
machine's network namespace, the node has one of its own.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from bench import rival_plans, rival_proxy
from bench.ending import ending_whole
from bench.visits import RATE, Site, Visit, failures, gap, p99, read, visiting, within
from deploy.node.endpoint import Endpoint
from rehearsal import lifecycle
from tests.system.project import Project, make_project
from tests.system.visitors import shaking_hands

RESULT = Path(__file__).with_name("results") / "switch.txt"
NAME = "shop.example.org"
PROJECT = "benchswitch"
PASSWORD = "a password for a bench"  # noqa: S105 -- of a throwaway key
CALM_SECONDS = 30.0
DEPLOYS = 20
ALLOWED = 1.5
RESTARTS = 3
RUNS = 3
ROTATION_SECONDS = 5.0
BAD = {
    "never healthy": {"ENV_BIND": "127.0.0.1"},
    "crashing after 3 s": {"ENV_FAULT": "web:crash=3"},
    "wrong certificate": {
        "ENV_TLS_CERT": "/data/other.crt",
        "ENV_TLS_KEY_ENC": "/data/other.key.enc",
    },
    "hanging": {"ENV_FAULT": "web:hang"},
    "failing migration": {"BEFORE_SWITCH": "/usr/bin/python3 -c 'import sys; sys.exit(1)'"},
}


@dataclass(frozen=True, slots=True)
class Deploy:
    """One deploy: what was wrong with it on purpose, how it ended, when what happened."""

    wrong: str
    code: int
    began: float
    proven: float
    ended: float
    unchanged: bool
    said: str


@dataclass(slots=True)
class Bench:
    """The lines of the result, and the project on whose node everything runs."""

    project: Project
    folder: Path
    app: str = f"{PROJECT}-www"
    lines: list[str] = field(default_factory=list)

    def tell(self, text: str, *, met: bool | None = None) -> None:
        """Add a line, with a verdict if it has a target."""
        verdict = {True: "  met", False: "  NOT MET", None: ""}[met]
        self.lines.append(f"{text}{verdict}")
        print(self.lines[-1], flush=True)

    @property
    def site(self) -> Site:
        """Where visitors go."""
        authority = self.project.folder / "certs/material/authority/ca.crt"
        return Site(self.project.node.address, 443, NAME, authority)

    def digest(self) -> str:
        """Name the image and the release that serve."""
        container = self.project.container()
        return self.project.ssh(
            f"podman inspect --format '{{{{.Image}}}}' {container}; "
            f"readlink /var/lib/{self.app}/current"
        )

    def deploy(self, wrong: str = "", **settings: str) -> Deploy:
        """Deploy, and note when the new slot was proven."""
        before = self.digest()
        began = proven = time.monotonic()
        said = []
        with self.project.start("deploy", **settings) as process:
            # The workstation is another machine in life; here it takes what the others leave.
            group = Path(f"/proc/{process.pid}/autogroup")
            if group.exists():
                group.write_text("15")
            for line in process.stdout or ():
                said.append(line)
                if "healthy over HTTPS" in line:
                    proven = time.monotonic()
        ended = time.monotonic()
        unchanged = self.digest() == before
        return Deploy(wrong, process.returncode, began, proven, ended, unchanged, "".join(said))


def measure_slots(bench: Bench) -> None:
    """Twenty deploys under load, five of them bad."""
    log = bench.folder / "slots"
    wrongs = list(BAD)
    deploys = []
    with visiting(bench.site, log):
        calm = time.monotonic()
        time.sleep(CALM_SECONDS)
        busy = time.monotonic()
        for number in range(DEPLOYS):
            wrong = wrongs[number // 4] if number % 4 == 2 else ""
            settings = {"ENV_GREETING": f"number {number}"} | BAD.get(wrong, {})
            deploys.append(bench.deploy(wrong, **settings))
    visits = read(log)
    good = [one for one in deploys if not one.wrong]
    bad = [one for one in deploys if one.wrong]
    failed = failures(visits)
    bench.tell(
        f"{len(deploys)} deploys under {RATE} requests a second, {len(visits)} requests: "
        f"{len(failed)} failed",
        met=not failed and all(one.code == 0 for one in good),
    )
    for kind, count in sorted({(one.kind, one.trouble) for one in failed})[:5]:
        bench.tell(f"  {kind} connection: {count}")
    for one in bad:
        took = one.ended - one.began
        bench.tell(
            f"  {one.wrong}: exit code {one.code} after {took:.1f} s, digest and release "
            f"{'as before' if one.unchanged else 'CHANGED'}",
            met=one.code != 0 and one.unchanged,
        )
    _tell_times(bench, visits, (calm, busy), good)


def _tell_times(
    bench: Bench, visits: tuple[Visit, ...], calm: tuple[float, float], good: list[Deploy]
) -> None:
    before = p99(within(visits, [calm]))
    switch = p99(within(visits, [(one.proven, one.ended) for one in good]))
    whole = p99(within(visits, [(one.began, one.ended) for one in good]))
    slowest = max(visit.took for visit in visits) * 1000
    bench.tell(
        f"p99 before: {before:.1f} ms; from the new slot's proof until the old one is gone: "
        f"{switch:.1f} ms, {switch / before:.2f} times (at most {ALLOWED})",
        met=switch <= ALLOWED * before,
    )
    bench.tell(
        f"p99 during whole deploys, all on one machine: {whole:.1f} ms; slowest {slowest:.0f} ms"
    )
    took = statistics.median(one.ended - one.began for one in good)
    bench.tell(f"a good deploy takes {took:.1f} s (median), 5 s of it SETTLE_SECONDS")


def measure_restart(bench: Bench) -> None:
    """The gap of SWITCH=restart, beside a plain restart of the unit."""
    log = bench.folder / "restart"
    with visiting(bench.site, log):
        deploys = [
            bench.deploy(SWITCH="restart", SETTLE_SECONDS="0", ENV_GREETING=f"alone {number}")
            for number in range(RESTARTS)
        ]
    visits = read(log)
    said = [re.findall(r"held for (\d+) ms", one.said) for one in deploys]
    held = ", ".join(found[0] for found in said if found)
    failed = failures(visits)
    fresh = [one for one in failed if one.kind == "fresh"]
    bench.tell(
        f"SWITCH=restart: the door held {held} ms; visitors waited {gap(visits):.0f} ms at most, "
        f"{len(fresh)} of {len(visits)} requests failed, and {len(failed) - len(fresh)} on "
        "connections kept from before, which the old release closes as it ends",
        met=all(one.code == 0 for one in deploys) and not fresh,
    )
    log = bench.folder / "plain"
    unit = bench.project.container()
    with visiting(bench.site, log):
        for _ in range(RESTARTS):
            bench.project.ssh(f"systemctl restart {unit}")
            time.sleep(3)
    visits = read(log)
    bench.tell(
        f"beside it, systemctl restart of the plain unit: visitors waited {gap(visits):.0f} ms at "
        f"most, {len(failures(visits))} of {len(visits)} requests failed"
    )


def measure_socket(bench: Bench) -> None:
    """Deploys of an app that takes its listening sockets from systemd: no rule leads anywhere."""
    common = {"SWITCH": "socket", "SETTLE_SECONDS": "0"}
    opened = bench.deploy(**common)
    log = bench.folder / "socket"
    with visiting(bench.site, log):
        deploys = [
            bench.deploy(ENV_GREETING=f"inherited {number}", **common) for number in range(RESTARTS)
        ]
    visits = read(log)
    failed = failures(visits)
    slowest = max(visit.took for visit in visits) * 1000
    bench.tell(
        f"SWITCH=socket: {len(deploys)} deploys, {len(failed)} of {len(visits)} requests failed, "
        f"slowest {slowest:.0f} ms",
        met=not failed and all(one.code == 0 for one in (opened, *deploys)),
    )
    bench.deploy()


def measure_rotation(bench: Bench) -> None:
    """Rotations of the certificate under load: when the last visitor was shown the old one."""
    log = bench.folder / "rotation"
    shown = []
    with visiting(bench.site, log):
        for _ in range(RESTARTS):
            with (
                shaking_hands(Endpoint(bench.site.address, 443, NAME)) as seen,
                bench.project.start("cert-rotate-https") as process,
            ):
                said = [(time.monotonic(), line) for line in process.stdout or ()]
            staged = next((at for at, line in said if "certificate staged" in line), None)
            if process.returncode or staged is None:
                bench.tell(f"a rotation failed with exit code {process.returncode}", met=False)
                return
            shown.append(max(at for at, mark in seen if mark == seen[0][1]) - staged)
    visits = read(log)
    failed = failures(visits)
    bench.tell(
        f"{RESTARTS} rotations of the certificate: {len(failed)} of {len(visits)} requests failed, "
        f"the old one was shown for {max(shown):.1f} s at most (at most {ROTATION_SECONDS:.0f})",
        met=not failed and max(shown) < ROTATION_SECONDS,
    )


def measure_proxy(bench: Bench) -> None:
    """The same load through Caddy with retries, while the container behind it is restarted."""
    project = bench.project
    problem = rival_proxy.start(project, NAME, PASSWORD)
    if problem:
        bench.tell(f"Caddy could not be tried: {problem}")
        return
    log = bench.folder / "proxy"
    site = Site(bench.site.address, rival_proxy.PORT, NAME, bench.site.authority)
    unit = project.container()
    with visiting(site, log):
        calm = time.monotonic()
        time.sleep(CALM_SECONDS / 2)
        busy = time.monotonic()
        for _ in range(RESTARTS):
            project.ssh(f"systemctl restart {unit}")
            time.sleep(3)
        ended = time.monotonic()
    rival_proxy.stop(project)
    visits = read(log)
    bench.tell(
        f"beside it, Caddy with retries before a container that restarts: visitors waited "
        f"{gap(visits):.0f} ms at most, {len(failures(visits))} of {len(visits)} requests failed, "
        f"p99 {p99(within(visits, [(calm, busy)])):.1f} ms before and "
        f"{p99(within(visits, [(busy, ended)])):.1f} ms during"
    )


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run costs: seconds, logins, and commands run as root on the node."""

    seconds: float
    logins: float
    commands: float

    def __str__(self) -> str:
        return (
            f"{self.seconds:.2f} s, {self.logins:.0f} logins, {self.commands:.0f} commands as root"
        )


def cost(project: Project, run: Callable[[], object]) -> Cost:
    """Run something three times after a first time; the node's journal counts."""
    run()
    count = (
        "journalctl -q -o cat --sync; journalctl -q -o cat | grep -cE 'Accepted publickey'; "
        "journalctl -q -o cat | grep -c 'COMMAND='"
    )
    before = [int(word) for word in project.ssh(count).split()]
    began = time.monotonic()
    for _ in range(RUNS):
        run()
    seconds = (time.monotonic() - began) / RUNS
    after = [int(word) for word in project.ssh(count).split()]
    # The second counting logs in, and is a command, as well.
    logins, commands = ((new - old - 1) / RUNS for old, new in zip(before, after, strict=True))
    return Cost(seconds, logins, commands)


def measure_nothing(bench: Bench) -> None:
    """A deploy that changes nothing, beside pyinfra and Ansible that change nothing."""
    project = bench.project
    project.must("deploy")
    ours = cost(project, lambda: project.must("deploy"))
    bench.tell(f"a deploy with nothing to do: {ours}")
    problem = rival_plans.fetch()
    if problem:
        bench.tell(f"pyinfra and Ansible could not be tried: {problem}")
        return
    for rival in rival_plans.lay_out(project, bench.folder):
        theirs = cost(project, partial(rival.run, bench.folder))
        bench.tell(
            f"beside it, {rival.name} with the same files and unit: {theirs}",
            met=ours.seconds < theirs.seconds,
        )


def prepare(folder: Path) -> Project:
    """Boot a node, deploy the sample, and leave an unused certificate on it."""
    project = make_project(
        folder / "project", PROJECT,
        IMAGE="localhost/corefab-bench-switch:latest", CERT_PASSWORD=PASSWORD,
        SMTP_PASSWORD=PASSWORD, HEALTH_TIMEOUT_SECONDS="5", SETTLE_SECONDS="5", DRAIN_SECONDS="5",
        ENV_QUIET="1", ENV_FAULT="none:", ENV_BIND="::,0.0.0.0",
        ENV_TLS_CERT="/etc/tls/server.crt", ENV_TLS_KEY_ENC="/etc/tls/server.key.enc",
    )  # fmt: skip
    for words in (
        ("sample-build",), ("cert-issue",), ("prepare", "--yes"), ("rehearsal-up",),
        ("deploy", "--first"),
    ):  # fmt: skip
        project.must(*words)
    data = f"/var/lib/{PROJECT}-www/data"
    project.ssh(
        f"cd {data}; openssl req -x509 -newkey rsa:2048 -keyout other.key -out other.crt -days 2 "
        f"-subj /CN={NAME} -passout 'pass:{PASSWORD}' 2>/dev/null; mv other.key other.key.enc; "
        "chmod 644 other.*"
    )
    return project


def main() -> int:
    """Measure, print, keep the result; the exit code is 1 when a figure was not met."""
    with ending_whole(), tempfile.TemporaryDirectory(prefix="bench-switch-") as name:
        folder = Path(name)
        try:
            bench = Bench(prepare(folder), folder)
            for measure in (
                measure_slots,
                measure_restart,
                measure_socket,
                measure_rotation,
                measure_proxy,
                measure_nothing,
            ):
                measure(bench)
        finally:
            lifecycle.down(PROJECT, folder / "project")
            image = "localhost/corefab-bench-switch:latest"
            subprocess.run(["podman", "rmi", "--ignore", image], check=False, capture_output=True)
    RESULT.write_text("\n".join(bench.lines) + "\n", encoding="utf-8")
    return int(any(line.endswith("NOT MET") for line in bench.lines))


if __name__ == "__main__":
    sys.exit(main())
