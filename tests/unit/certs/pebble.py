"""Pebble, an ACME authority for tests, with its DNS server, on loopback only."""

import json
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.acme.account import Server
from certs.acme.order import Challenge, Kind
from certs.authority import issue, new_authority
from certs.keyfile import new_key
from tests.ports import free_ports

# It gives no certificate for names of this domain. It panics at orders for names with fewer labels.
_BLOCKED = "refused"
REFUSED = f"www.{_BLOCKED}"
HMAC_KEY = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@dataclass(frozen=True, slots=True)
class Pebble:
    server: Server
    http_port: int
    dns_management: str
    management: str
    log: Path

    @property
    def authority(self) -> str:
        """The root certificate that it issues with."""
        trusted = ssl.create_default_context(cafile=str(self.server.trust))
        with urllib.request.urlopen(f"{self.management}/roots/0", context=trusted) as answer:  # noqa: S310
            return str(answer.read().decode())

    @property
    def orders(self) -> int:
        """How many certificates were ordered."""
        return self.log.read_text().count("Added order")


@dataclass(slots=True)
class Page:
    """Answers http-01 itself, as a node would."""

    kind: Kind = "http-01"
    shown: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.answering.set()

    def present(self, challenge: Challenge) -> None:
        self.history.append(f"present {challenge.name}")
        self.shown[challenge.where] = challenge.content

    def cleanup(self, challenge: Challenge) -> None:
        self.history.append(f"cleanup {challenge.name}")
        self.shown.pop(challenge.where, None)

    @contextmanager
    def served(self, port: int) -> Iterator[None]:
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                page.asked.append(self.path)
                page.answering.wait(timeout=30)
                content = page.shown.get(self.path)
                self.send_response(404 if content is None else 200)
                self.end_headers()
                self.wfile.write((content or "").encode())

            def log_message(self, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass(slots=True)
class Zone:
    """Shows dns-01 in the zone of the test DNS server."""

    management: str
    kind: Kind = "dns-01"
    history: list[tuple[str, str, str]] = field(default_factory=list)

    def present(self, challenge: Challenge) -> None:
        self.history.append(("present", challenge.where, challenge.content))
        self._post("set-txt", {"host": f"{challenge.where}.", "value": challenge.content})

    def cleanup(self, challenge: Challenge) -> None:
        self.history.append(("cleanup", challenge.where, challenge.content))
        self._post("clear-txt", {"host": f"{challenge.where}."})

    def _post(self, verb: str, body: dict[str, str]) -> None:
        url = f"{self.management}/{verb}"
        urllib.request.urlopen(url, json.dumps(body).encode(), timeout=5).close()  # noqa: S310


@contextmanager
def running(  # noqa: PLR0913 -- each has a usual value
    folder: Path,
    program: Callable[[str], str],
    environment: dict[str, str],
    *,
    binding: str = "",
    visits: tuple[str, int] | None = None,
    at: str = "127.0.0.1",
) -> Iterator[Pebble]:
    """Run an authority until the block ends; PEBBLE_... variables set its moods.

    With `binding`, an HMAC key, it takes only accounts of the customer kid-1.

    It takes every name for `visits`, an address and its HTTP port, or a free one of this machine.
    It listens `at` an address of this machine.
    """
    api, management, http, dns, zone = free_ports(5)
    address, http = visits or ("127.0.0.1", http)
    trust = _write_config(folder, at, (api, management, http), binding=binding)
    challtestsrv = [program("pebble-challtestsrv"), "-dns01", f"127.0.0.1:{dns}"]
    challtestsrv += ["-management", f"127.0.0.1:{zone}", "-defaultIPv6", ""]
    challtestsrv += ["-defaultIPv4", address]
    challtestsrv += ["-http01", "", "-https01", "", "-tlsalpn01", ""]
    pebble = [program("pebble"), "-config", str(folder / "pebble.json")]
    pebble += ["-dnsserver", f"127.0.0.1:{dns}", "-strict"]
    with ExitStack() as stack:
        stack.enter_context(_process(challtestsrv, folder / "dns.log", {}))
        stack.enter_context(_process(pebble, folder / "pebble.log", environment))
        for port in (zone, api):
            _await_port("127.0.0.1" if port == zone else at, port, folder)
        server = Server(f"https://{at}:{api}/dir", trust=trust)
        yield Pebble(
            server,
            http,
            f"http://127.0.0.1:{zone}",
            f"https://127.0.0.1:{management}",
            folder / "pebble.log",
        )


def _write_config(folder: Path, at: str, ports: tuple[int, int, int], *, binding: str) -> Path:
    now, key = datetime.now(UTC), new_key()
    root = new_authority("Pebble's own", now=now, lifetime=timedelta(days=1), key=new_key())
    chain = issue(root, sorted({at, "127.0.0.1"}), now=now, lifetime=timedelta(days=1), key=key)
    (folder / "server.crt").write_bytes(chain.pem)
    (folder / "server.key").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    (folder / "root.crt").write_bytes(root.certificate.pem)
    api, management, http = ports
    config = {
        "listenAddress": f"{at}:{api}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "server.crt"),
        "privateKey": str(folder / "server.key"),
        "httpPort": http,
        "tlsPort": 443,
        "externalAccountBindingRequired": bool(binding),
        "externalAccountMACKeys": {"kid-1": binding or HMAC_KEY},
        "domainBlocklist": [_BLOCKED],
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": config}))
    return folder / "root.crt"


@contextmanager
def _process(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        started = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield
        finally:
            started.terminate()
            started.wait(timeout=60)


def _await_port(at: str, port: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection((at, port), timeout=1).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                logs = [path.read_text() for path in folder.glob("*.log")]
                raise AssertionError("\n".join(logs)) from None
            time.sleep(0.02)
        else:
            return
