"""A slow link: a TCP relay with a limited rate and a delay.

It stands in for tc's netem, which not every kernel has. Each direction is a line of its own, whose
queue holds a tenth of a second, as a router's would; who sends more has to wait.

    python -m bench.relay ADDRESS PORT MEGABITS MILLISECONDS

writes the port of loopback that it listens at, and ends with its stdin.
"""

import asyncio
import os
import sys
from collections import deque

_CHUNK = 1448
_QUEUE_SECONDS = 0.1


async def _line(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float, delay: float
) -> None:
    """Pass bytes on: each as long as it takes on the line, and then later by the delay."""
    clock = asyncio.get_running_loop().time
    passing: deque[tuple[float, bytes]] = deque()
    more = asyncio.Event()
    free = clock()

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
        passing.append((free + delay, data))
        more.set()
        await asyncio.sleep(max(0.0, free - clock() - _QUEUE_SECONDS))
    await delivering


async def _serve(address: str, port: int, megabits: float, milliseconds: float) -> None:
    rate, delay = megabits * 1e6 / 8, milliseconds / 2000

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The greeting of TCP itself takes a round trip before the first byte.
        await asyncio.sleep(delay * 2)
        there, back = await asyncio.open_connection(address, port)
        await asyncio.gather(
            _line(reader, back, rate, delay), _line(there, writer, rate, delay),
            return_exceptions=True,
        )  # fmt: skip

    server = await asyncio.start_server(accept, "127.0.0.1", 0, limit=_CHUNK * 16)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # with whatever is still on its way


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])))
