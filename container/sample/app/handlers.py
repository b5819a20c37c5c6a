"""Answer requests: the page and the health check over HTTPS, a redirect over HTTP."""

from __future__ import annotations

import json
import re
import ssl
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from container.sample.app.connections import REQUEST_SECONDS, Connections, Phase
from container.sample.app.page import render_page
from container.sample.app.settings import Settings

HTTPS_PORT = 443
_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?")


class Service(Protocol):
    """The service as its handlers see it."""

    settings: Settings
    connections: Connections
    state: str
    started: float


class Handler(BaseHTTPRequestHandler):
    """Keep-alive, time limits and the access log, for both ports."""

    protocol_version = "HTTP/1.1"
    server_version = "corefab-sample"
    sys_version = ""
    timeout = REQUEST_SECONDS
    disable_nagle_algorithm = True

    def __init__(self, connection: Any, address: Any, service: Service) -> None:
        self.service = service
        self._began = time.monotonic()
        super().__init__(connection, address, service)  # type: ignore[arg-type]  # only stored

    def version_string(self) -> str:
        """Return the program's name, without Python's version."""
        return self.server_version

    def handle(self) -> None:
        """Do the TLS handshake, then answer requests until either side closes."""
        with suppress(OSError, ssl.SSLError):  # a client that left, or never spoke TLS
            if isinstance(self.connection, ssl.SSLSocket):
                self.connection.do_handshake()
            super().handle()

    def finish(self) -> None:
        """Flush and close; the client may have left already."""
        with suppress(OSError):
            super().finish()

    def parse_request(self) -> bool:
        """Count the connection as busy from here; refuse bodies, which no path takes."""
        self._began = time.monotonic()
        self.service.connections.enter(self.connection, Phase.BUSY)
        return super().parse_request()

    def handle_one_request(self) -> None:
        """Answer one request; then the connection is idle, or closed where the answer said so.

        A connection that closes unannounced would fail a request that is on its way already.
        """
        super().handle_one_request()
        if not self.close_connection:
            self.service.connections.enter(self.connection, Phase.IDLE)

    def answer(self, status: HTTPStatus, kind: str, body: bytes, **headers: str) -> None:
        """Send one whole response."""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.service.state == "stopping" or self.headers.get("Content-Length", "0") != "0":
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", _size: int | str = "-") -> None:
        """Write the access log's line to standard output."""
        if self.service.settings.quiet:
            return
        status = code.value if isinstance(code, HTTPStatus) else code
        request = self.requestline.encode("unicode_escape").decode("ascii").replace('"', '\\"')
        took = (time.monotonic() - self._began) * 1000
        sys.stdout.write(f'{self.client_address[0]} "{request}" {status} {took:.1f}ms\n')
        sys.stdout.flush()

    def log_error(self, *_: object) -> None:
        """Leave errors to the access log, which has their status."""


class PageHandler(Handler):
    """The HTTPS port."""

    def do_GET(self) -> None:
        """Answer the page and the health check."""
        path = self.path.partition("?")[0]
        if path == self.service.settings.health_path:
            self._health()
        elif path == "/":
            body = render_page(self.service.settings)
            self.answer(HTTPStatus.OK, "text/html; charset=utf-8", body)
        else:
            self.answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"not found\n")

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

    def _health(self) -> None:
        ready = self.service.state == "ready"
        body = {
            "status": "ok" if ready else self.service.state,
            "app": self.service.settings.app,
            "version": self.service.settings.version,
            "release": self.service.settings.release,
            "uptime_seconds": round(time.monotonic() - self.service.started, 3),
        }
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        text = json.dumps(body) + "\n"
        self.answer(status, "application/json", text.encode(), **{"Cache-Control": "no-store"})


class RedirectHandler(Handler):
    """The HTTP port: everything is at the same path over HTTPS."""

    def do_GET(self) -> None:
        """Send the client to the HTTPS address."""
        settings = self.service.settings
        found = _HOST.fullmatch(self.headers.get("Host", ""))
        if found is None or not self.path.startswith("/"):
            self.answer(HTTPStatus.BAD_REQUEST, "text/plain", b"no usable Host header\n")
            return
        port = "" if settings.public_https_port == HTTPS_PORT else f":{settings.public_https_port}"
        target = f"https://{found['name']}{port}{self.path}"
        self.answer(HTTPStatus.MOVED_PERMANENTLY, "text/plain", b"", Location=target)

    do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for
