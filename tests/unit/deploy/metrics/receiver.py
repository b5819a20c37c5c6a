"""An endpoint of OpenTelemetry on the loopback interface, which fails as it is told."""

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certs.authority import issue, new_authority
from certs.keyfile import new_key

# Instead of a status: the connection ends before an answer, or in the middle of it.
CUT, HALF = 0, 1


@dataclass
class Receiver:
    """What came, and how the next requests are answered; those after them with 200.

    No answer is given before `free` is set.
    """

    port: int = 0
    address: str = "127.0.0.1"
    answers: list[int] = field(default_factory=list)
    refuses: str = ""
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    seen: list[tuple[int, str, dict[str, str], bytes]] = field(default_factory=list)
    free: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.free.set()

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}/otlp"

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> int:
        self.free.wait()
        status = self.answers.pop(0) if self.answers else 200
        if self.refuses and self.refuses.encode() in body:
            status = 400
        self.seen.append((status, path, headers, body))
        return status

    def accepted(self, signal: str) -> list[Any]:
        """Give the requests of a signal that were accepted."""
        good = (one for one in self.seen if one[0] in {200, HALF})
        return [json.loads(body) for _, path, _, body in good if path == f"/otlp/v1/{signal}"]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The lines that were accepted, each with the resource it is from."""
        return [
            {"resource": attributes(of["resource"]), **attributes(one), **one}
            for request in self.accepted("logs")
            for of in request["resourceLogs"]
            for scope in of["scopeLogs"]
            for one in scope["logRecords"]
        ]

    @property
    def texts(self) -> list[str]:
        return [one["body"]["stringValue"] for one in self.records]


def attributes(of: dict[str, Any]) -> dict[str, str]:
    """Give attributes by their names."""
    return {one["key"]: one["value"]["stringValue"] for one in of["attributes"]}


def certified(folder: Path, address: str) -> tuple[Path, ssl.SSLContext]:
    """Make an authority of its own and a certificate by it; return its root and what serves."""
    now, key = datetime.now(UTC), new_key()
    authority = new_authority("Endpoint", now=now, lifetime=timedelta(days=1), key=new_key())
    chain = issue(authority, [address], now=now, lifetime=timedelta(days=1), key=key)
    plain = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "endpoint.pem").write_bytes(chain.pem + plain)
    (folder / "endpoint.crt").write_bytes(authority.certificate.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "endpoint.pem")
    return folder / "endpoint.crt", context


@contextlib.contextmanager
def listening(receiver: Receiver, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Let it listen; at the port that it had before, if it had one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = receiver.answer(self.path, dict(self.headers.items()), body)
            if status == CUT:
                return
            self.send_response(200 if status == HALF else status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(receiver.body) + (status == HALF)))
            self.end_headers()
            self.wfile.write(receiver.body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((receiver.address, receiver.port), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
