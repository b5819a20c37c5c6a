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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

_PATIENCE_SECONDS = 10.0
_KEPT = 20  # as many idle connections as a usual client's pool keeps
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Load:
    """The request, and the idle connections."""

    address: str
    port: int
    name: str
    context: ssl.SSLContext
    log: TextIO
    idle: list[Streams] = field(default_factory=list)

    async def visit(self, kind: str, due: float) -> None:
        """Send one request, and log its outcome."""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._ask(kind)
            outcome = "ok"
        except (OSError, ValueError, EOFError, TimeoutError) as error:
            outcome = repr(error).replace("\n", " ")
        self.log.write(f"{due:.4f} {time.monotonic() - due:.4f} {kind} {outcome}\n")

    async def _ask(self, kind: str) -> None:
        reader, writer = (kind == "kept" and self._kept()) or await self._connect()
        writer.write(f"GET / HTTP/1.1\r\nHost: {self.name}\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, *lines = head.split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines if line)
        await reader.readexactly(int(fields["content-length"]))
        room = kind == "kept" and len(self.idle) < _KEPT
        if room and fields.get("connection") != "close":
            self.idle.append((reader, writer))
        else:
            writer.close()
        if " 200 " not in status:
            raise ValueError(status)

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


async def run(load: Load, rate: float) -> None:
    """Start visits on schedule until SIGTERM, then wait for those in progress."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    began, number = time.monotonic(), 0
    visits: set[asyncio.Task[None]] = set()
    while not stop.is_set():
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        visit = asyncio.create_task(load.visit("fresh" if number % 2 else "kept", due))
        visits.add(visit)
        visit.add_done_callback(visits.discard)
        number += 1
    await asyncio.gather(*visits)


def main() -> int:
    """Read the arguments and visit."""
    address, port, name, authority, rate, file = sys.argv[1:]
    context = ssl.create_default_context(cafile=authority)
    with Path(file).open("w", buffering=1, encoding="utf-8") as log:
        asyncio.run(run(Load(address, int(port), name, context, log), float(rate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
