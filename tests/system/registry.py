"""Debian's docker-registry for one test, with TLS of a throwaway authority and a login."""

import json
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import bcrypt
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.authority import issue, new_authority
from certs.keyfile import new_key
from tests.ports import free_port
from tests.system.debian import fetched

_PATIENCE_SECONDS = 60
_USER = "ann"


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry: its address, its authority's certificate, and a login."""

    address: str
    root: Path
    password: str
    store: Path
    program: Path
    _running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def login(self) -> str:
        return f"{_USER}:{self.password}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        folder = self.store.parent
        with (folder / "log").open("ab") as log:
            server = subprocess.Popen(
                [self.program, "serve", folder / "config.yml"],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.append(server)
        _await(server, self, folder / "log")

    def stop(self) -> None:
        """Stop it: whoever asks is refused a connection."""
        for server in self._running:
            server.terminate()
            server.wait(_PATIENCE_SECONDS)
        self._running.clear()


@contextmanager
def running(folder: Path, password: str, *, at: str = "127.0.0.1") -> Iterator[Registry]:
    """Run a registry with all it has below a folder; without a password it asks for no login."""
    program = fetched("registry", ("docker-registry",), "usr/bin/docker-registry")
    port = free_port()
    store, serves = folder / "store", program / "usr/bin/docker-registry"
    found = Registry(f"{at}:{port}", folder / "root.crt", password, store, serves)
    _configure(folder, found, at)
    try:
        found.start()
        yield found
    finally:
        found.stop()


def _configure(folder: Path, found: Registry, at: str) -> None:
    now, key = datetime.now(UTC), new_key()
    root = new_authority("Registry", now=now, lifetime=timedelta(days=1), key=new_key())
    chain = issue(root, [at], now=now, lifetime=timedelta(days=1), key=key)
    found.root.write_bytes(root.certificate.pem)
    (folder / "server.crt").write_bytes(chain.pem)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.key").write_bytes(plain)
    hashed = bcrypt.hashpw(found.password.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"{_USER}:{hashed}\n")
    asked = {"realm": "test", "path": str(folder / "htpasswd")}
    config = {
        "version": 0.1,
        "storage": {"filesystem": {"rootdirectory": str(found.store)}},
        **({"auth": {"htpasswd": asked}} if found.password else {}),
        "http": {
            "addr": found.address,
            "tls": {"certificate": str(folder / "server.crt"), "key": str(folder / "server.key")},
        },
    }
    (folder / "config.yml").write_text(json.dumps(config))


def _await(server: subprocess.Popen[bytes], found: Registry, log: Path) -> None:
    context = ssl.create_default_context(cafile=found.root)
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"https://{found.address}/v2/", context=context, timeout=5):
                return
        except urllib.error.HTTPError:
            return  # it asks for a login
        except OSError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
