"""Mixed visitors for a bench: GET and POST with bodies, fresh and kept connections, HTTP/2.

`python -m bench.mixed ADDRESS PORT NAME AUTHORITY RATE FILE` sends until SIGTERM, and writes the
lines of `bench.load`; the kinds are KINDS. A POST has to be answered with its body's SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import ssl
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import httpx

from bench import multiplexed

KINDS = ("get-fresh", "get-kept", "post-kept", "get-h2", "post-h2")
_PATIENCE_SECONDS = 20.0
_BODY = os.urandom(20_000)
_DIGEST = hashlib.sha256(_BODY).hexdigest()
_OK = str(httpx.codes.OK.value)


@dataclass
class Load:
    """Where the requests go, a client for each version of HTTP, and the log."""

    url: str
    name: str
    plain: httpx.AsyncClient
    multiplexed: multiplexed.Client
    log: TextIO

    async def visit(self, kind: str, due: float) -> None:
        """Send one request, and log its outcome."""
        verb, _, connection = kind.partition("-")
        content = _BODY if verb == "post" else b""
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                if connection == "h2":
                    status, body = await self.multiplexed.request(verb.upper(), content)
                else:
                    status, body = await self._ask(verb, content, fresh=connection == "fresh")
            right = status == _OK and (not content or body.decode() == _DIGEST)
            outcome = "ok" if right else f"{status} {body[:40]!r}"
        except (httpx.HTTPError, OSError) as error:
            outcome = repr(error).replace("\n", " ")
        self.log.write(f"{due:.4f} {time.monotonic() - due:.4f} {kind} {outcome}\n")

    async def _ask(self, verb: str, content: bytes, *, fresh: bool) -> tuple[str, bytes]:
        headers = {"Host": self.name} | ({"Connection": "close"} if fresh else {})
        answer = await self.plain.request(
            verb.upper(),
            self.url,
            headers=headers,
            content=content or None,
            extensions={"sni_hostname": self.name},
        )
        return str(answer.status_code), answer.content


async def run(words: list[str]) -> None:
    """Start visits on schedule until SIGTERM, then wait for those in progress."""
    address, port, name, authority, rate, file = words
    context, both = (ssl.create_default_context(cafile=authority) for _ in range(2))
    both.set_alpn_protocols(["h2"])
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    visits: set[asyncio.Task[None]] = set()
    with Path(file).open("w", buffering=1, encoding="utf-8") as log:
        async with httpx.AsyncClient(
            verify=context, limits=limits, timeout=_PATIENCE_SECONDS
        ) as plain:
            client = multiplexed.Client(address, int(port), name, both)
            load = Load(f"https://{address}:{port}/", name, plain, client, log)
            began, number = time.monotonic(), 0
            while not stop.is_set():
                due = began + number / float(rate)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                visit = asyncio.create_task(load.visit(KINDS[number % len(KINDS)], due))
                visits.add(visit)
                visit.add_done_callback(visits.discard)
                number += 1
            await asyncio.gather(*visits)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1:]))
