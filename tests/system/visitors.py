"""Visitors who come all the time, on fresh connections and on kept ones, and remember failures."""

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from deploy.app.health import check
from deploy.node.endpoint import Endpoint

_PATIENCE_SECONDS = 60
_PAUSE_SECONDS = 0.02
CROWD = 8
CROWD_PAUSE_SECONDS = CROWD / 200  # two hundred requests a second in all


@dataclass(slots=True)
class Visits:
    """What the visitors met: how many answers, and each failure in words."""

    answers: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Visitor:
    """Asks for the page again and again, on a fresh connection each time or on one it keeps."""

    address: str
    name: str
    context: ssl.SSLContext
    keeps: bool
    connection: http.client.HTTPConnection | None = None

    def visit(self) -> None:
        """Ask once; an answer that says so closes the connection."""
        made = self.connection or self._connect()
        self.connection = None
        made.request("GET", "/")
        response = made.getresponse()
        response.read()
        if response.status != http.HTTPStatus.OK:
            raise http.client.HTTPException(f"status {response.status}")
        if self.keeps and not response.will_close:
            self.connection = made
        else:
            made.close()

    def _connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(self.name, timeout=_PATIENCE_SECONDS)
        plain = socket.create_connection((self.address, 443), timeout=_PATIENCE_SECONDS)
        connection.sock = self.context.wrap_socket(plain, server_hostname=self.name)
        return connection


@contextmanager
def visiting(
    address: str,
    name: str,
    authority: Path | None,
    *,
    visitors: int = 2,
    pause_seconds: float = _PAUSE_SECONDS,
) -> Iterator[Visits]:
    """Let every other visitor connect again each time, the rest stay connected, for a block.

    Without an authority they take any certificate.
    """
    visits = Visits()
    stop = threading.Event()
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE

    def come(visitor: Visitor) -> None:
        while not stop.wait(pause_seconds):
            try:
                visitor.visit()
                visits.answers += 1
            except (OSError, http.client.HTTPException) as error:
                kind = "kept" if visitor.keeps else "fresh"
                visits.failures.append(f"{kind} connection: {error!r}")
        if visitor.connection:
            visitor.connection.close()

    everyone = [Visitor(address, name, context, keeps=bool(n % 2)) for n in range(visitors)]
    threads = [threading.Thread(target=come, args=(visitor,)) for visitor in everyone]
    for thread in threads:
        thread.start()
    try:
        yield visits
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def crowding(address: str, name: str) -> AbstractContextManager[Visits]:
    """Let two hundred requests a second come, whatever certificate is shown."""
    return visiting(address, name, None, visitors=CROWD, pause_seconds=CROWD_PAUSE_SECONDS)


@contextmanager
def shaking_hands(*endpoints: Endpoint) -> Iterator[list[tuple[float, str]]]:
    """Note when which certificate is asked for, as seconds and fingerprint, for a block."""
    seen: list[tuple[float, str]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.05):
            for one in endpoints:
                asked = time.monotonic()
                shown = check(one, "/").certificate
                seen.append((asked, shown.sha256 if shown else ""))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()
