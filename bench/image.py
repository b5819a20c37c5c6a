"""Measure how images reach a node, beside the ways that there are: `make bench-image`.

Bytes are those of the node's network interface, all headers and the login included. Wall time is
that of the whole command. Both sides share this machine's processors. Each line ends in `met` or
`NOT MET` where there is a figure to reach.
"""

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.images import Built, bound, build, debian, one_changed, texts, updated, write_layer
from rehearsal import stock
from tests.system.project import FAB, ROOT, Project, make_project

RESULT = Path(__file__).with_name("results") / "image.txt"
MB = 1e6
# A first deploy takes seconds, and what one costs varies with what the disk is doing.
_FIRST_ROUNDS = 3
SECRETS = {"CERT_PASSWORD": "bench-only-1", "SMTP_PASSWORD": "bench-only-2"}


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


Case = tuple[str, Built, Built | None]
OURS, PLAIN, ZSTD = "corefab", "podman save | load", "podman save | zstd | load"
SCP, RSYNC = "podman image scp", "rsync of OCI folder, skopeo"


class Bench:
    """A node, and the lines of the result."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.project, self.folder = project, folder
        self.lines: list[str] = []
        self.said = ""
        self.address = str(project.node.address)
        routes = json.loads(_out("ip", "-j", "route", "get", self.address))
        self.link = routes[0]["dev"]
        self.group = Path(_cgroup(), self.link)
        self.door = f"core@{self.address}", 22
        self.home = folder / "home"
        self.ways = {
            OURS: self.ours,
            PLAIN: self.save_load,
            ZSTD: self.save_zstd,
            SCP: self.scp,
            RSYNC: self.rsync,
        }

    def tell(self, text: str, *, met: bool | None = None) -> None:
        """Add a line, with its verdict when there is a figure to reach."""
        verdict = {True: "  met", False: "  NOT MET", None: ""}[met]
        self.lines.append(f"{text}{verdict}")
        print(self.lines[-1], flush=True)

    @property
    def ssh(self) -> str:
        """The ssh that every rival uses up to the host, with the node's key pinned."""
        pins = self.project.folder / "certs/known_hosts"
        identity = self.project.folder / "id"
        words = f"ssh -F none -i {identity} -o UserKnownHostsFile={pins} -o BatchMode=yes"
        return f"{words} -p {self.door[1]}"

    def fresh(self, held: Built | None) -> None:
        """Leave the node with one image of the bench, or none, and the workstation knowing it."""
        keep = held.id if held else "none"
        self.project.ssh(
            "podman image ls -q --no-trunc --filter reference='localhost/bench*' "
            "--filter reference='*:sent' "
            f"| sort -u | sed /{keep}/d | xargs -r podman rmi -f >/dev/null; "
            "podman image prune -f >/dev/null; rm -rf /var/tmp/oci; sync"
        )
        if held:
            self.ours(held)

    def ours(self, image: Built) -> None:
        """Send an image as corefab does; what it says last is kept."""
        done = subprocess.run(
            [FAB, "-H", f"{self.door[0]}:{self.door[1]}", "image-send"],
            cwd=self.project.folder,
            env=self.project.environment(IMAGE=image.name, IMAGE_CACHE=str(self.folder / "cache")),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or "whole image" in done.stderr:
            raise RuntimeError(done.stdout + done.stderr)
        self.said = done.stdout.strip().splitlines()[0].strip()

    def shell(self, line: str) -> None:
        """Run a line of shell as a rival's user would type it."""
        subprocess.run(["bash", "-eo", "pipefail", "-c", line], check=True, capture_output=True)

    def save_load(self, image: Built) -> None:
        """Send an image as podman's manual says."""
        self.shell(f"podman save -q {image.name} | {self.ssh} {self.door[0]} sudo podman load")

    def save_zstd(self, image: Built, level: int = 3) -> None:
        """Send an image whole, compressed."""
        there = shlex.quote("zstd -dcq | sudo podman load -q")
        squeeze = f"zstd -q -{level} -T0"
        self.shell(f"podman save -q {image.name} | {squeeze} | {self.ssh} {self.door[0]} {there}")

    def rsync(self, image: Built) -> None:
        """Send an OCI layout by rsync, which the node keeps, and load it there by skopeo."""
        layout = self.folder / "rsync"
        there = shlex.quote(f"sudo skopeo copy -q oci:/var/tmp/oci containers-storage:{image.name}")
        (layout / "index.json").unlink(missing_ok=True)
        self.shell(
            f"podman save -q --format oci-dir --uncompressed -o {layout} {image.name}; "
            "rsync -a -z --zc=zstd --zl=3 --inplace --no-whole-file --rsync-path='sudo rsync' "
            f"-e {shlex.quote(self.ssh)} {layout}/ {self.door[0]}:/var/tmp/oci/; "
            f"{self.ssh} {self.door[0]} {there}"
        )

    def scp(self, image: Built) -> None:
        """Send an image by podman's own copier, which takes keys of an agent."""
        copy = f"ssh-add -q {self.project.folder}/id; podman image scp -q {image.name} bench::"
        self.shell(f"{self._as_scp} ssh-agent bash -ec {shlex.quote(copy)}")

    def let_root_in(self) -> None:
        """Make what `podman image scp` needs: a login as root, and a connection of podman's."""
        pins = (self.project.folder / "certs/known_hosts").read_text()
        public = (self.project.folder / "id.pub").read_text().strip()
        self.project.ssh(
            f"install -d -m 700 /root/.ssh; echo '{public}' >> /root/.ssh/authorized_keys; "
            "echo 'PermitRootLogin prohibit-password' > /etc/ssh/sshd_config.d/00-bench.conf; "
            "systemctl reload sshd || systemctl reload ssh"
        )
        (self.home / ".ssh").mkdir(parents=True)
        (self.home / ".ssh/known_hosts").write_text(pins)
        (self.home / "containers.conf").touch()
        socket = f"ssh://root@{self.address}/run/podman/podman.sock"
        self.shell(f"{self._as_scp} podman system connection add bench {socket}")

    @property
    def _as_scp(self) -> str:
        return f"HOME={self.home} CONTAINERS_CONF={self.home}/containers.conf"

    def measure(self, work: Callable[[], None], *, memory: bool = True) -> Cost:
        """Run something and count what it took, on both sides.

        To look at memory takes time of its own.
        """
        # What the preparation wrote must not go to the disk at the expense of what is measured.
        os.sync()
        up, down = self._bytes("tx"), self._bytes("rx")
        here = resource.getrusage(resource.RUSAGE_CHILDREN)
        there = self._processor()
        with _peak_memory(self.group) if memory else nullcontext(_Peak()) as peak:
            began = time.monotonic()
            work()
            wall = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cost(
            up=self._bytes("tx") - up,
            down=self._bytes("rx") - down,
            wall=wall,
            processor_here=after.ru_utime + after.ru_stime - here.ru_utime - here.ru_stime,
            processor_there=self._processor() - there,
            memory_here=peak.here,
            memory_there=peak.there,
        )

    def _bytes(self, way: str) -> int:
        return int(Path(f"/sys/class/net/{self.link}/statistics/{way}_bytes").read_text())

    def _processor(self) -> float:
        found = re.search(r"usage_usec (\d+)", (self.group / "cpu.stat").read_text())
        return int(found[1]) / 1e6 if found else 0.0

    @contextmanager
    def slow(self, megabits: int, milliseconds: int) -> Iterator[None]:
        """Put a slow line in front of the node: every login goes through a relay."""
        words = (sys.executable, "-m", "bench.relay", self.address, "22", megabits, milliseconds)
        before = self.door
        with subprocess.Popen(
            list(map(str, words)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as relay:
            port = int(relay.stdout.readline()) if relay.stdout else 0
            self.door = "core@127.0.0.1", port
            self._pin(port)
            try:
                yield
            finally:
                self.door = before
                relay.communicate()

    def _pin(self, port: int) -> None:
        """Pin the node's own key for the relay as well."""
        file = self.project.folder / "certs/known_hosts"
        keys = [line.split(None, 1)[1] for line in file.read_text().splitlines() if line]
        with file.open("a") as out:
            out.writelines(f"[127.0.0.1]:{port} {key}\n" for key in dict.fromkeys(keys))


@dataclass
class _Peak:
    here: int = 0
    there: int = 0


@contextmanager
def _peak_memory(group: Path) -> Iterator[_Peak]:
    """Look every 20 ms at what memory new processes hold alone, the sum of them on each side."""
    peak, ended = _Peak(), threading.Event()
    known = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()}
    own = os.getpid()

    def look() -> None:
        while not ended.wait(0.02):
            inside = set(_processes(group))
            fresh = {path.name for path in Path("/proc").iterdir() if path.name.isdigit()} - known
            children = {one for one in fresh - inside if _descends(one, own)}
            peak.there = max(peak.there, sum(map(_anonymous, inside - known)))
            peak.here = max(peak.here, sum(map(_anonymous, children)))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _processes(group: Path) -> Iterator[str]:
    for file in group.rglob("cgroup.procs"):
        try:
            yield from file.read_text().split()
        except OSError:
            continue


def _descends(process: str, ancestor: int) -> bool:
    while process not in {"0", "1"}:
        try:
            stat = Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return False
        process = stat.rpartition(")")[2].split()[1]
        if process == str(ancestor):
            return True
    return False


def _anonymous(process: str) -> int:
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


def _out(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


def shown(name: str, cost: Cost) -> str:
    """Write a cost as a line of the table."""
    return (
        f"{name:34} {cost.up / MB:10.3f} {cost.down / MB:8.3f} {cost.wall:7.2f} "
        f"{cost.processor_here:7.2f} {cost.processor_there:7.2f} "
        f"{cost.memory_here / MB:6.0f} {cost.memory_there / MB:6.0f}"
    )


HEADER = (
    f"{'':34} {'MB up':>10} {'MB down':>8} {'wall s':>7} {'cpu ws':>7} {'cpu nd':>7} "
    f"{'MB ws':>6} {'MB nd':>6}"
)


def main() -> int:
    """Measure everything and write the table; 1 when a figure was not reached."""
    with tempfile.TemporaryDirectory(prefix="corefab-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        project = make_project(
            folder / "project", f"bench{os.getpid()}", IMAGE="localhost/bench:1", **SECRETS
        )
        try:
            project.must("cert-issue")
            project.must("prepare", "--yes")
            project.must("rehearsal-up")
            bench = Bench(project, folder)
            bench.let_root_in()
            measure(bench)
        finally:
            project.node_down()
            _out(
                "bash",
                "-c",
                "podman image ls -q --filter reference='localhost/bench*' | xargs -r podman rmi -f",
            )
    RESULT.write_text("\n".join(bench.lines) + "\n")
    return int(any(line.endswith("NOT MET") for line in bench.lines))


def measure(bench: Bench) -> None:
    """Measure the image of 300 MB, then the one of 1 GB."""
    base = debian(stock.tree(lambda _: None))
    app, top = texts("srv/app", 400, 100_000, 1), texts("srv/top", 60, 4_000, 2)
    big = texts("srv/big", 350, 2_000_000, 3)
    files = {
        "base": base, "app": app, "top": top, "big": big,
        "base2": updated(base, 0.03),
        "top2": one_changed(top, 30, lambda text: text[:100] + b"one line\n" + text[100:]),
        "app2": one_changed(app, 200, lambda text: text[:-1000] + text[:1000]),
        "big2": one_changed(big, 170, _with_a_megabyte),
    }  # fmt: skip
    tars = {name: write_layer(one, bench.folder / f"{name}.tar") for name, one in files.items()}

    def made(name: str, *layers: str) -> Built:
        return build(f"localhost/{name}", tuple(tars[one] for one in layers), bench.folder)

    _medium(bench, made)
    _large(bench, made)


def _with_a_megabyte(text: bytes) -> bytes:
    return text[:500_000] + os.urandom(1_000_000) + text[500_000:]


def _medium(bench: Bench, made: Callable[..., Built]) -> None:
    first = made("bench:1", "base", "app", "top")
    small = made("bench:2", "base", "app", "top2")
    layer = made("bench:3", "base", "app2", "top")
    base = made("bench:4", "base2", "app", "top")
    cases: list[Case] = [
        ("first deploy", first, None),
        ("nothing changed", first, first),
        ("small file changed", small, first),
        ("file in big layer changed", layer, first),
        ("base updated", base, first),
    ]
    bench.tell(f"image of {first.size / MB:.0f} MB, links at full speed")
    costs = _table(bench, cases, bench.ways)
    bench.fresh(None)
    light = bench.measure(lambda: bench.save_zstd(first, level=1))
    bench.tell("first deploy, by the lightest level of zstd")
    bench.tell("  " + shown("podman save | zstd -1 | load", light))
    _verdicts(bench, costs, light)
    _slow(bench, cases)


def _table(
    bench: Bench, cases: Sequence[Case], ways: Mapping[str, Callable[[Built], None]]
) -> dict[tuple[str, str], Cost]:
    """Measure each case by each way, from a node that holds what the case says."""
    bench.tell(HEADER)
    costs = {}
    for case, new, held in cases:
        least = bound(new, held) if new is not held else 0
        rounds = "" if held else f"; the middle of {_FIRST_ROUNDS} by time"
        bench.tell(f"{case} (least, by zstd: {least} bytes{rounds})")
        found: dict[str, list[Cost]] = {way: [] for way in ways}
        # In turns: what the machine does besides then meets each way.
        for _ in range(1 if held else _FIRST_ROUNDS):
            for way, send in ways.items():
                _prepare(bench, send, held)
                found[way].append(bench.measure(partial(send, new)))
        for way, of_way in found.items():
            costs[case, way] = sorted(of_way, key=lambda cost: cost.wall)[len(of_way) // 2]
            bench.tell("  " + shown(way, costs[case, way]))
    return costs


def _prepare(bench: Bench, send: Callable[[Built], None], held: Built | None) -> None:
    """Have the node hold an image by the way that is measured next, or none."""
    if not held and send == bench.ours:
        # Nor has this workstation ever read the image.
        shutil.rmtree(bench.folder / "cache", ignore_errors=True)
    if send == bench.rsync and held:
        bench.fresh(None)
        shutil.rmtree(bench.folder / "rsync", ignore_errors=True)
        bench.rsync(held)
    else:
        bench.fresh(held)


def _verdicts(bench: Bench, costs: Mapping[tuple[str, str], Cost], light: Cost) -> None:
    ours = {case: cost for (case, way), cost in costs.items() if way == OURS}
    plain = {case: cost for (case, way), cost in costs.items() if way == PLAIN}
    zstd = {case: cost for (case, way), cost in costs.items() if way == ZSTD}
    cost = ours["nothing changed"]
    bench.tell(f"nothing changed: {cost.up} bytes up, limit 20000", met=cost.up < 20_000)
    cost = ours["small file changed"]
    bench.tell(f"small file: {cost.up} bytes up, limit 100000", met=cost.up < 100_000)
    bench.tell(f"small file: {cost.wall:.2f} s, limit 1.2", met=cost.wall < 1.2)
    times = plain["small file changed"].up / cost.up
    bench.tell(f"small file: {times:.0f} times fewer bytes than save/load, 3000", met=times >= 3000)
    share = ours["base updated"].up / zstd["base updated"].up
    bench.tell(f"base updated: {share:.1%} of save/zstd/load, limit 10 %", met=share <= 0.1)
    cost, other = ours["first deploy"], zstd["first deploy"]
    bench.tell(f"first: {cost.up / other.up:.1%} of the bytes of save/zstd -3/load")
    share = cost.up / light.up
    text = f"first: {share:.1%} of save/zstd -1/load, the level for a link this fast, limit 100 %"
    bench.tell(text, met=share <= 1)
    other = plain["first deploy"]
    text = f"first: {cost.wall:.1f} s, save/load {other.wall:.1f} s"
    bench.tell(text, met=cost.wall <= other.wall)


def _slow(bench: Bench, cases: Sequence[Case]) -> None:
    bench.tell("link of 20 Mbit/s and 40 ms, the image of 300 MB")
    bench.tell(HEADER)
    found = {}
    for case, new, held in cases:
        bench.fresh(held)
        with bench.slow(20, 40):
            found[case] = bench.measure(partial(bench.ours, new))
        bench.tell("  " + shown(f"corefab, {case}", found[case]))
    case, new, held = cases[3]
    for way in (ZSTD, RSYNC):
        _prepare(bench, bench.ways[way], held)
        with bench.slow(20, 40):
            found[way] = bench.measure(partial(bench.ways[way], new))
        bench.tell("  " + shown(f"{way}, {case}" if way == RSYNC else way, found[way]))
    times = found[ZSTD].wall / found[case].wall
    bench.tell(f"slow link: {times:.1f} times faster than save/zstd/load, 10", met=times >= 10)
    _first_at(bench, cases[0][1], 200, 5)


def _first_at(bench: Bench, image: Built, megabits: int, milliseconds: int) -> None:
    """Measure a first deploy over a link as a rented machine has one, in both ways."""
    bench.tell(f"link of {megabits} Mbit/s and {milliseconds} ms, first deploy")
    bench.tell(HEADER)
    found = {}
    for way in (OURS, PLAIN):
        _prepare(bench, bench.ways[way], None)
        with bench.slow(megabits, milliseconds):
            found[way] = bench.measure(partial(bench.ways[way], image))
        bench.tell("  " + shown(way, found[way]))
    ours, plain = found[OURS].wall, found[PLAIN].wall
    text = f"first, {megabits} Mbit/s: {ours:.1f} s, save/load {plain:.1f} s"
    bench.tell(text, met=ours <= plain)


def _large(bench: Bench, made: Callable[..., Built]) -> None:
    first = made("benchbig:1", "base", "big", "top")
    small = made("benchbig:2", "base", "big", "top2")
    changed = made("benchbig:3", "base", "big2", "top")
    base = made("benchbig:4", "base2", "big", "top")
    bench.tell(f"image of {first.size / MB:.0f} MB, with a layer of 700 MB, links at full speed")
    cases: list[Case] = [
        ("first deploy", first, None),
        ("1 MB changed in the big layer", changed, first),
    ]
    costs = _table(bench, cases, {way: bench.ways[way] for way in (OURS, PLAIN, ZSTD)})
    bench.tell("the other cases, by corefab alone: the others send the same again")
    more: list[Case] = [
        ("nothing changed", first, first),
        ("small file changed", small, first),
        ("base updated", base, first),
    ]
    costs |= _table(bench, more, {OURS: bench.ours})
    ours = {case: cost for (case, way), cost in costs.items() if way == OURS}
    there = max(cost.memory_there for cost in ours.values()) / 2**20
    here = max(cost.memory_here for cost in ours.values()) / 2**20
    bench.tell(f"1 GB: {there:.0f} MiB at the most on the node, limit 256", met=there < 256)
    bench.tell(f"1 GB: {here:.0f} MiB at the most on the workstation, limit 512", met=here < 512)
    cost = ours["1 MB changed in the big layer"]
    bench.tell(f"1 MB in 1 GB: {cost.up} bytes up, limit 1500000", met=cost.up < 1_500_000)
    cost, other = ours["first deploy"], costs["first deploy", PLAIN]
    text = f"1 GB, first: {cost.wall:.1f} s, save/load {other.wall:.1f} s"
    bench.tell(text, met=cost.wall <= other.wall)


if __name__ == "__main__":
    sys.exit(main())
