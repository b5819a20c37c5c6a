"""Visitors for a bench: a process that sends a fixed number of requests a second.

`python -m bench.load ADDRESS PORT NAME AUTHORITY RATE FILE` asks until SIGTERM, half on fresh
connections and half on kept ones, and writes a line a request: when it was due, seconds until its
last byte, the kind of connection, and `ok` or what went wrong. Times are of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import signal
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

_PATIENCE_SECONDS = 10.0
_KEPT = 20  # as many idle connections as a usual client's pool keeps
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """The server, and the idle connections."""

    address: str
    port: int
    name: str
    context: ssl.SSLContext
    idle: list[Streams] = field(default_factory=list)

    async def ask(self, verb: str, body: bytes, *, fresh: bool) -> bytes:
        """Send a request; return the body of the answer.

        Raises:
            OSError, EOFError: when there is no whole answer.
            ValueError: when its status is not 200.
        """
        reader, writer = (not fresh and self._kept()) or await self._connect()
        size = f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{verb} / HTTP/1.1\r\nHost: {self.name}\r\n{size}\r\n".encode() + body)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, *lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if line)
        answer = await reader.readexactly(int(fields["content-length"]))
        if not fresh and len(self.idle) < _KEPT and fields.get("connection") != "close":
            self.idle.append((reader, writer))
        else:
            writer.close()
        if " 200 " not in status:
            raise ValueError(status)
        return answer

    def _kept(self) -> Streams | None:
        """Take the connection idle longest; one that was closed is none, as with any client."""
        while self.idle:
            reader, writer = self.idle.pop(0)
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None

    async def _connect(self) -> Streams:
        return await asyncio.open_connection(
            self.address, self.port, ssl=self.context, server_hostname=self.name
        )


async def log_visit(log: TextIO, kind: str, due: float, asking: Awaitable[object]) -> None:
    """Wait for one answer, and log its outcome."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await asking
        outcome = "ok"
    except (OSError, ValueError, EOFError, TimeoutError) as error:
        outcome = repr(error).replace("\n", " ")
    log.write(f"{due:.4f} {time.monotonic() - due:.4f} {kind} {outcome}\n")


async def run(visit: Callable[[int, float], Awaitable[None]], rate: float) -> None:
    """Start visits on schedule until SIGTERM, then wait for those in progress.

    A visit gets its number and the time at which it is due.
    """
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    began, number = time.monotonic(), 0
    visits: set[asyncio.Future[None]] = set()
    while not stop.is_set():
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        task = asyncio.ensure_future(visit(number, due))
        visits.add(task)
        task.add_done_callback(visits.discard)
        number += 1
    await asyncio.gather(*visits)


def main() -> int:
    """Read the arguments and visit."""
    address, port, name, authority, rate, file = sys.argv[1:]
    load = Load(address, int(port), name, ssl.create_default_context(cafile=authority))
    with Path(file).open("w", buffering=1, encoding="utf-8") as log:

        async def visit(number: int, due: float) -> None:
            kind = "fresh" if number % 2 else "kept"
            await log_visit(log, kind, due, load.ask("GET", b"", fresh=kind == "fresh"))

        asyncio.run(run(visit, float(rate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
