"""Visitors who keep asking while a test changes something, and remember what failed."""

import http.client
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

VISITORS = 8
PACE_SECONDS = VISITORS / 200


@dataclass
class Visits:
    """What visitors met: failures in words, and how many pages they were given."""

    failed: list[str] = field(default_factory=list)
    count: int = 0


@contextmanager
def visited(address: str, name: str) -> Iterator[Visits]:
    """Ask for 200 pages a second while the block lasts; each tenth over a new connection."""
    stop, seen = threading.Event(), Visits()
    words = (address, name, stop, seen)
    visitors = [threading.Thread(target=_visit, args=words) for _ in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    try:
        yield seen
    finally:
        stop.set()
        for visitor in visitors:
            visitor.join()


def _visit(address: str, name: str, stop: threading.Event, seen: Visits) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(address, 443, timeout=10, context=context)
    while not stop.wait(PACE_SECONDS):
        try:
            connection.request("GET", "/health", headers={"Host": name})
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            seen.failed.append(repr(error))
            connection.close()
            continue
        if answer.status != 200:
            seen.failed.append(str(answer.status))
        seen.count += 1
        if seen.count % 10 == 0:
            connection.close()
    connection.close()
