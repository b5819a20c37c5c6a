"""A slow link: a TCP relay with a limited rate and a delay.

It stands in for tc's netem, which not every kernel has. Each direction is a line of its own, whose
queue holds a tenth of a second, as a router's would; who sends more has to wait.

    python -m bench.relay ADDRESS PORT MEGABITS MILLISECONDS [LOST]

writes the port of loopback that it listens at, and ends with its stdin. MEGABITS 0 means no limit.
LOST is the share of packets that are lost: TCP sends one again after a round trip and a half, and
what follows it waits.
"""

import asyncio
import math
import os
import random
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tests.root import ROOT

_CHUNK = 1448
_QUEUE_SECONDS = 0.1


@contextmanager
def relayed(
    address: str, port: int, megabits: float, milliseconds: float, lost: float = 0.0
) -> Iterator[int]:
    """Run a slow line to an address as long as the block lasts; give its port of loopback."""
    words = (sys.executable, "-m", "bench.relay", address, port, megabits, milliseconds, lost)
    with subprocess.Popen(
        list(map(str, words)), cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as relay:
        try:
            yield int(relay.stdout.readline()) if relay.stdout else 0
        finally:
            relay.communicate()


async def _line(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    rate: float,
    delay: float,
    lost: float,
) -> None:
    """Pass bytes on: each as long as it takes on the line, and then later by the delay."""
    clock = asyncio.get_running_loop().time
    passing: deque[tuple[float, bytes]] = deque()
    more = asyncio.Event()
    free, last = clock(), 0.0

    async def deliver() -> None:
        while True:
            while not passing:
                more.clear()
                await more.wait()
            due, data = passing.popleft()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                writer.close()
                return
            writer.write(data)
            await writer.drain()

    delivering = asyncio.create_task(deliver())
    data = b"start"
    while data:
        try:
            data = await reader.read(_CHUNK * 8)
        except ConnectionError:
            data = b""
        free = max(free, clock()) + len(data) / rate
        last = max(last, free + delay + (delay * 3 if _is_lost(len(data), lost) else 0))
        passing.append((last, data))
        more.set()
        await asyncio.sleep(max(0.0, free - clock() - _QUEUE_SECONDS))
    await delivering


def _is_lost(size: int, lost: float) -> bool:
    """Tell whether one of the packets that so many bytes take is lost."""
    return random.random() > (1 - lost) ** -(-size // _CHUNK)  # noqa: S311 -- no secret


async def _serve(
    address: str, port: int, megabits: float, milliseconds: float, lost: float = 0.0
) -> None:
    rate, delay = megabits * 1e6 / 8 or math.inf, milliseconds / 2000

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The greeting of TCP itself takes a round trip before the first byte.
        await asyncio.sleep(delay * 2)
        there, back = await asyncio.open_connection(address, port)
        lines = (
            _line(reader, back, rate, delay, lost),
            _line(there, writer, rate, delay, lost),
        )
        await asyncio.gather(*lines, return_exceptions=True)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_CHUNK * 16)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # with whatever is still on its way


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:])))
