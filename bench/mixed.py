"""Mixed visitors for a bench: GET and POST with bodies, fresh and kept connections, HTTP/2.

`python -m bench.mixed ADDRESS PORT NAME AUTHORITY RATE FILE` sends until SIGTERM, and writes the
lines of `bench.load`; the kinds are KINDS. A POST has to be answered with its body's SHA-256.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import ssl
import sys
from pathlib import Path

from bench import load, multiplexed

KINDS = ("get-fresh", "get-kept", "post-kept", "get-h2", "post-h2")
_BODY = os.urandom(20_000)
_DIGEST = hashlib.sha256(_BODY).hexdigest()


async def ask(kind: str, plain: load.Load, both: multiplexed.Client) -> None:
    """Send a request of one of KINDS.

    Raises:
        OSError, EOFError: when there is no whole answer.
        ValueError: when it is another than the right one.
    """
    verb, connection = kind.upper().split("-")
    content = _BODY if verb == "POST" else b""
    if connection == "H2":
        status, answer = await both.request(verb, content)
    else:
        status, answer = "200", await plain.ask(verb, content, fresh=connection == "FRESH")
    if status != "200" or (content and answer.decode() != _DIGEST):
        raise ValueError(f"{status} {answer[:40]!r}")


def main() -> int:
    """Read the arguments and visit."""
    address, port, name, authority, rate, file = sys.argv[1:]
    context, multiplexing = (ssl.create_default_context(cafile=authority) for _ in range(2))
    multiplexing.set_alpn_protocols(["h2"])
    plain = load.Load(address, int(port), name, context)
    both = multiplexed.Client(address, int(port), name, multiplexing)
    with Path(file).open("w", buffering=1, encoding="utf-8") as log:

        async def visit(number: int, due: float) -> None:
            kind = KINDS[number % len(KINDS)]
            await load.log_visit(log, kind, due, ask(kind, plain, both))

        asyncio.run(load.run(visit, float(rate)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
