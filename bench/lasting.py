"""What a visitor has open over a switch: a WebSocket, an event stream, slow requests."""

from __future__ import annotations

import contextlib
import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.system.project import Project
from tests.system.proxied import connected, page, said, websocket

_PAUSE_SECONDS = 0.1


@dataclass
class Lasting:
    """What became of each: `moved` is when a new visitor first met another release.

    `last` is when a kind of connection last had an answer. `slow` has begin, end and answer of each
    slow request.
    """

    project: Project
    name: str
    first: str = ""
    moved: float = 0.0
    slow: list[tuple[float, float, str]] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def poll(self) -> None:
        """Ask on fresh connections until another release answers."""
        while not self.stop.wait(_PAUSE_SECONDS):
            if page(self.project, self.name)[1] != self.first:
                self.moved = time.monotonic()
                return

    def talk(self) -> None:
        """Talk over a WebSocket until it is closed."""
        with websocket(self.project, self.name) as tls:
            while said(tls, "still here").startswith(self.first):
                self.last["WebSocket"] = time.monotonic()
                if self.stop.wait(_PAUSE_SECONDS):
                    return

    def listen(self) -> None:
        """Read an event stream until it is closed."""
        with connected(self.project, self.name) as connection:
            connection.request("GET", "/events")
            response = connection.getresponse()
            while self.first.encode() in response.readline() + response.readline():
                self.last["event stream"] = time.monotonic()
                if self.stop.is_set():
                    return

    def wait(self, seconds: float) -> None:
        """Send requests that take so long, one after another, until the route has moved."""
        while not self.moved and not self.stop.is_set():
            began = time.monotonic()
            answer = page(self.project, self.name, f"/slow?{seconds}")[1]
            self.slow.append((began, time.monotonic(), answer))

    @property
    def under_way(self) -> list[str]:
        """The answers to slow requests that were under way when the route moved."""
        return [said for began, ended, said in self.slow if began < self.moved < ended]


@contextmanager
def lasting(project: Project, name: str, slow_seconds: float) -> Iterator[Lasting]:
    """Keep one connection of each kind as long as the block lasts, or until it is closed.

    Two visitors send requests of `slow_seconds`, so that one is always under way.
    """
    made = Lasting(project, name, first=page(project, name)[1])

    def until_closed(kind: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                kind()

        return run

    def wait() -> None:
        made.wait(slow_seconds)

    def wait_later() -> None:
        made.stop.wait(slow_seconds / 2)
        wait()

    kinds = (made.poll, made.talk, made.listen, wait, wait_later)
    threads = [threading.Thread(target=until_closed(kind)) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        made.stop.set()
        for thread in threads:
            thread.join()
