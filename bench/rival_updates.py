"""The baseline of `make bench-pull`: containers on the same node that podman updates by itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.visits import Site
from certs.authority import issue, new_authority
from certs.keyfile import new_key
from rehearsal import places
from tests.system import outside, visited
from tests.system.closed import LIVE, Machine
from tests.system.page import get

REPOSITORY = "rival/app"
PORT = 9443
START_SECONDS = 20
BLOB_BYTES = 5 << 20
_OWN_PORT = 18080
_CHECK = (
    'HEALTHCHECK --interval=2s --timeout=2s CMD ["/usr/bin/python3", "-c", '
    f"\"import urllib.request as r; r.urlopen('http://127.0.0.1:{_OWN_PORT}/')\"]"
)
_CADDYFILE = f"""\
{{
	admin off
	auto_https off
}}
:{PORT} {{
	tls /site/server.crt /site/server.key
	reverse_proxy 127.0.0.1:{_OWN_PORT}
}}
"""
_POD = f"""\
[Pod]
PublishPort={PORT}:{PORT}
"""
_CADDY = """\
[Container]
Image={registry}/rival/caddy:live
ContainerName=rival-caddy
{place}
Volume=/var/lib/rival:/site:ro
Exec=/usr/bin/caddy run --config /site/Caddyfile --adapter caddyfile
AutoUpdate=registry
[Service]
Restart=always
"""
_APP = """\
[Container]
Image={registry}/rival/app:live
ContainerName=rival-app
{place}
Environment=PORT={port}
AutoUpdate=registry
{more}
"""


@dataclass(frozen=True, slots=True)
class Rival:
    """One way of having podman update an app behind Caddy, on the machine of the bench."""

    machine: Machine
    name: str
    authority: Path
    pod: bool

    @property
    def site(self) -> Site:
        """Where its visitors go."""
        return Site(self.machine.node.address, PORT, LIVE, self.authority)

    def push(self, line: str = "") -> None:
        """Push an image of the app with a layer of its own."""
        (self.machine.folder / "blob").write_bytes(os.urandom(BLOB_BYTES))
        image = f"{self.machine.world.registry.address}/{REPOSITORY}:live"
        lines = ["COPY blob /", line, "" if self.pod else _CHECK]
        visited.build(image, self.machine.folder, self.machine.base, *lines)
        _push(image)

    def begin(self) -> None:
        """Have it serve a good image, by hand if need be."""
        self.push()
        image = f"{self.machine.world.registry.address}/{REPOSITORY}:live"
        self._run(
            f"podman pull -q {image}; systemctl reset-failed 'rival-*'; "
            f"systemctl stop {self._units}; systemctl start {self._units}"
        )
        outside.until(lambda: "yes" if self.serves() else "", "podman's container")

    def update(self) -> str:
        """Update as podman-auto-update.service does; return what podman says of the app."""
        said = self._run(
            "podman auto-update --format '{{.ContainerName}} {{.Updated}}'; "
            "podman image prune -f >/dev/null"
        )
        found = [line.partition(" ")[2] for line in said.splitlines() if "rival-app " in line]
        return "".join(f"`{one}`" for one in found[:1]) or "nothing"

    def serves(self) -> bool:
        """Tell whether visitors get the page."""
        try:
            return get(self.machine.node.address, PORT, LIVE, self.authority)[0] == HTTPStatus.OK
        except OSError:
            return False

    def recovers(self) -> bool:
        """Wait for the page for a while; tell whether visitors get it."""
        until = time.monotonic() + START_SECONDS
        while not (found := self.serves()) and time.monotonic() < until:
            time.sleep(0.5)
        return found

    @property
    def _units(self) -> str:
        return f"{'rival-pod ' if self.pod else ''}rival-app rival-caddy"

    def _run(self, script: str) -> str:
        words = ("systemd-run", "--quiet", "--collect", "--wait", "--pipe", "sh", "-c", script)
        return self.machine.inside(*words, seconds=200)

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Have its units on the node for a block."""
        place = "Pod=rival.pod" if self.pod else "Network=host"
        start = f"TimeoutStartSec={START_SECONDS}"
        service = f"[Service]\nRestart=always\n{start}"
        values = {
            "registry": self.machine.world.registry.address,
            "place": place,
            "port": _OWN_PORT,
            "more": service if self.pod else f"Notify=healthy\n{service}",
        }
        texts = {"app.container": _APP, "caddy.container": _CADDY}
        files = {name: text.format(**values) for name, text in texts.items()}
        if self.pod:
            files["pod"] = _POD
        folder = places.folder(self.machine.settings["PROJECT"]).etc / "containers/systemd"
        paths = [folder / (f"rival.{name}" if name == "pod" else f"rival-{name}") for name in files]
        for path, text in zip(paths, files.values(), strict=True):
            path.write_text(text)
        self._run("systemctl daemon-reload")
        try:
            yield
        finally:
            self._run(f"systemctl stop {self._units}")
            for path in paths:
                path.unlink()
            self._run("systemctl daemon-reload")


def rivals(machine: Machine, folder: Path) -> tuple[Rival, ...]:
    """Prepare the node for both ways: registry's root, Caddy's image and files, a port."""
    node = places.folder(machine.settings["PROJECT"])
    registry = machine.world.registry
    trusted = node.etc / "containers/certs.d" / registry.address
    trusted.mkdir(parents=True, exist_ok=True)
    (trusted / "ca.crt").write_bytes(registry.root.read_bytes())
    home = node.var / "lib/rival"
    home.mkdir()
    (home / "Caddyfile").write_text(_CADDYFILE)
    authority = _issue(home, folder)
    subprocess.run(
        ["podman", "tag", machine.caddy, f"{registry.address}/rival/caddy:live"], check=True
    )
    _push(f"{registry.address}/rival/caddy:live")
    machine.inside("nft", "add", "element", "inet", "corefab", "tcp_ports", f"{{ {PORT} }}")
    pod = Rival(machine, "a pod as in the article", authority, pod=True)
    return pod, Rival(machine, "an app with Notify=healthy", authority, pod=False)


def _issue(home: Path, folder: Path) -> Path:
    now, key, life = datetime.now(UTC), new_key(), timedelta(days=1)
    root = new_authority("Rival", now=now, lifetime=life, key=new_key())
    (home / "server.crt").write_bytes(issue(root, [LIVE], now=now, lifetime=life, key=key).pem)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (home / "server.key").write_bytes(plain)
    authority = folder / "rival.crt"
    authority.write_bytes(root.certificate.pem)
    return authority


def _push(image: str) -> None:
    words = ["podman", "push", "--quiet", "--tls-verify=false", image]
    subprocess.run(words, check=True, capture_output=True)
    subprocess.run(["podman", "rmi", image], check=True, capture_output=True)
