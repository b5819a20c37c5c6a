"""Caddy on the node in front of the app, as the baseline: it retries while a container restarts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.system.project import Project

PORT = 9443
_HOME = Path(
    os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "corefab", "bench", "caddy"
)
_CONFIG = """
{{
	admin off
	auto_https off
}}
:{port} {{
	tls /run/caddy/server.crt /run/caddy/server.key
	reverse_proxy https://{upstream}:8443 {{
		lb_try_duration 15s
		lb_try_interval 50ms
		header_up Host {name}
		transport http {{
			tls_insecure_skip_verify
		}}
	}}
}}
"""


def start(project: Project, name: str, password: str) -> str:
    """Run Caddy on the node before the slot that serves; return the problem, if any."""
    problem = _fetch()
    if problem:
        return problem
    unit = project.container()
    upstream = project.ssh(
        f"sed -n 's/^Network=.*:ip=\\([0-9.]*\\).*/\\1/p' /etc/containers/systemd/{unit}.container"
    ).strip()
    _send(project, _HOME / "usr/bin/caddy", "/var/tmp/caddy")  # noqa: S108 -- a path of the node
    config = _CONFIG.format(port=PORT, upstream=upstream, name=name)
    home = f"/var/lib/{unit.rpartition('-')[0]}/current/tls"
    project.ssh(
        f"mkdir -p /run/caddy; cp {home}/server.crt /run/caddy/\n"
        f"openssl pkey -in {home}/server.key.enc -passin 'pass:{password}' "
        "-out /run/caddy/server.key\n"
        f"printf '%s' '{config}' >/run/caddy/Caddyfile\n"
        f"nft add element inet corefab tcp_ports '{{ {PORT} }}'\n"
        "systemd-run --quiet --unit=bench-caddy /var/tmp/caddy run --config /run/caddy/Caddyfile\n"
        f"timeout 10 bash -c 'until ss -Htln sport = :{PORT} | grep -q .; do sleep 0.1; done'"
    )
    return ""


def stop(project: Project) -> None:
    """Stop and remove it."""
    project.ssh("systemctl stop bench-caddy; rm -rf /var/tmp/caddy /run/caddy")


def _fetch() -> str:
    if (_HOME / "usr/bin/caddy").exists():
        return ""
    _HOME.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["apt-get", "download", "-qq", "caddy"],
        cwd=_HOME, capture_output=True, text=True, check=False,
    )  # fmt: skip
    for deb in _HOME.glob("caddy_*.deb"):
        done = subprocess.run(
            ["dpkg-deb", "--extract", str(deb), str(_HOME)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    return done.stderr.strip()[-200:] if done.returncode else ""


def _send(project: Project, file: Path, target: str) -> None:
    pins = project.folder / "certs/known_hosts"
    options = ["-F", "none", "-o", f"UserKnownHostsFile={pins}", "-i", str(project.folder / "id")]
    words = [
        "ssh",
        *options,
        f"core@{project.node.address}",
        f"sudo install -m 755 /dev/stdin {target}",
    ]
    with file.open("rb") as content:
        subprocess.run(words, stdin=content, check=True)
