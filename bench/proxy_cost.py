"""What the proxy costs: requests a second and latency beside plain Caddy, and beside no proxy."""

from __future__ import annotations

import collections
import re
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.settings.model import PROXY_APP
from tests.system.project import Project

# What answers behind each of them, so that the app itself is not what is measured.
BODY = "x" * 1000
_PLAIN_PORT, _ALONE_PORT = 9443, 9444
_ROUNDS, _SECONDS = 8, 6
_CLIENTS, _STREAMS = 16, 4
# Latency is measured at a rate that all of them bear.
_STEADY = 800
_CONFIG = """
{{
	admin off
	auto_https disable_redirects
}}
(site) {{
	tls /etc/caddy/own.crt /etc/caddy/own.key
	log
	encode zstd gzip
}}
https://{name}:{plain} {{
	import site
	reverse_proxy {upstream}
}}
https://{name}:{alone} {{
	import site
	respond {body}
}}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """How the proxy compares with another way to the same answer, as ratios and in figures."""

    throughput: float
    p99: float
    rates: tuple[float, float]
    late: tuple[float, float]


def measure(project: Project, app: str, name: str) -> tuple[Cost, Cost]:
    """Compare the proxy with plain Caddy before the same slot, and with the app without proxy.

    They take turns.
    """
    ports = {"proxy": 443, "plain": _PLAIN_PORT, "alone": _ALONE_PORT}
    rates: dict[str, list[float]] = collections.defaultdict(list)
    late: dict[str, list[float]] = collections.defaultdict(list)
    with _plain(project, app, name):
        site = f"https://{name}/"
        for port in ports.values():
            _load(site, project.node.address, port)
        for number in range(_ROUNDS):
            # Each is first and last as often as the others.
            turn = list(ports)[number % 3 :] + list(ports)[: number % 3]
            for who in turn:
                rates[who].append(_load(site, project.node.address, ports[who]).rate)
            for who in turn:
                late[who].append(_load(site, project.node.address, ports[who], _STEADY).p99)
    plain, alone = (_compared(rates, late, who) for who in ("plain", "alone"))
    return plain, alone


def memory(project: Project) -> tuple[float, float]:
    """Give the memory, in MB, of the proxy's process and of all that its unit has on the node."""
    said = project.ssh(
        f"unit={_proxy(project)}\n"
        "pid=$(podman inspect --format '{{.State.Pid}}' $unit)\n"
        "rss() { sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' /proc/$1/status; }\n"
        "rss $pid; rss $(podman inspect --format '{{.State.ConmonPid}}' $unit)"
    )
    caddy, conmon = (int(word) / 1000 for word in said.split())
    return caddy, caddy + conmon


def _proxy(project: Project) -> str:
    """Name the container of the proxy that serves."""
    home = f"/var/lib/{PROXY_APP}"
    return project.ssh(
        f"[ {home}/blue -ef {home}/current ] && echo {PROXY_APP}-blue || echo {PROXY_APP}-green"
    ).strip()


def _compared(rates: dict[str, list[float]], late: dict[str, list[float]], who: str) -> Cost:
    def ratio(of: dict[str, list[float]]) -> float:
        return statistics.median(a / b for a, b in zip(of["proxy"], of[who], strict=True))

    def both(of: dict[str, list[float]]) -> tuple[float, float]:
        return statistics.median(of["proxy"]), statistics.median(of[who])

    return Cost(ratio(rates), ratio(late), both(rates), both(late))


@contextmanager
def _plain(project: Project, app: str, name: str) -> Iterator[None]:
    """Run a Caddy of the proxy's image, with a plain route to the app's slot, and without one."""
    config = _CONFIG.format(
        name=name,
        plain=_PLAIN_PORT,
        alone=_ALONE_PORT,
        body=BODY,
        upstream=project.ssh(f"cat /run/corefab/proxy/upstreams/{app}.upstream").strip(),
    )
    ports = (_PLAIN_PORT, _ALONE_PORT)
    project.ssh(
        f"install -d /run/plain; cp /run/corefab/proxy/certs/{app}.crt /run/plain/own.crt\n"
        f"cp /run/corefab/proxy/certs/{app}.key /run/plain/own.key\n"
        f"cat >/run/plain/Caddyfile <<'END'\n{config}\nEND\n"
        f"image=$(podman inspect --format '{{{{.Image}}}}' {_proxy(project)})\n"
        "podman run -d --name plain --network corefab-proxy "
        f"{' '.join(f'-p {port}:{port}' for port in ports)} "
        "-v /run/plain:/etc/caddy:ro -e XDG_DATA_HOME=/tmp --tmpfs /tmp "
        '"$image" /usr/bin/caddy run --config /etc/caddy/Caddyfile --adapter caddyfile >/dev/null\n'
        f"nft add element inet corefab tcp_ports '{{ {', '.join(map(str, ports))} }}'\n"
    )
    try:
        yield
    finally:
        project.ssh("podman rm -f -t 0 plain >/dev/null; rm -rf /run/plain")


@dataclass(frozen=True, slots=True)
class _Load:
    """Requests a second, and the 99th percentile of their time in milliseconds."""

    rate: float
    p99: float


def _load(site: str, address: str, port: int, rate: int = 0) -> _Load:
    """Send as many requests as are answered, or `rate` a second, with h2load."""
    with tempfile.NamedTemporaryFile() as log:
        done = subprocess.run(
            [
                "h2load", "-c", str(_CLIENTS), "-m", str(_STREAMS), "-t", "1",
                "-D", str(_SECONDS), "--warm-up-time=1", f"--connect-to={address}:{port}",
                *([f"--rps={rate // _CLIENTS}"] if rate else []), f"--log-file={log.name}", site,
            ],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        lines = Path(log.name).read_text(encoding="utf-8").splitlines()
    found = re.search(r"finished in [^,]*, ([0-9.]+) req/s", done.stdout)
    failed = re.search(r"(\d+) failed", done.stdout)
    answers = [line.split("\t") for line in lines]
    # 0: not answered yet when the time was over.
    strange = {status for _, status, _ in answers} - {"200", "0"}
    took = sorted(int(time) for _, status, time in answers if status == "200")
    if not found or not failed or failed[1] != "0" or strange or not took:
        raise SystemExit(f"h2load failed:\n{done.stdout}\n{strange}")
    return _Load(float(found[1]), took[int(len(took) * 0.99)] / 1000)
