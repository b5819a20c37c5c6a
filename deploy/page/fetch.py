"""Fetch what a node's proxy serves for its operators: bounded in bytes and in time."""

import re
import socket
import time

from deploy.errors import DeployError, NodeUnheardError
from deploy.node.endpoint import bracketed
from deploy.settings.model import PROXY_APP

STATUS, DRIFT, CERTIFICATE = "status", "drift", "node.crt"
_PORT = 80
_PATIENCE_SECONDS = 10.0
_BLOCK_BYTES = 1 << 16
_MOST_HEADERS = 1 << 14
_OK = re.compile(rb"HTTP/1\.[01] 200 ")
_HINT = (
    "the node's proxy serves it at port 80, some seconds after the machine's first boot; "
    "NODE_ADDRESS has to lead there"
)


def fetch(address: str, file: str, most_bytes: int) -> bytes:
    """Fetch one of these files from a node, without TLS: what is in it proves itself.

    Raises:
        DeployError: when the node does not serve it, or it is larger.
    """
    where = f"http://{bracketed(address)}/.well-known/corefab/{file}"
    until = time.monotonic() + _PATIENCE_SECONDS
    request = (
        f"GET /.well-known/corefab/{file} HTTP/1.0\r\nHost: {PROXY_APP}\r\n"
        "User-Agent: corefab\r\nConnection: close\r\n\r\n"
    )
    try:
        with socket.create_connection((address, _PORT), timeout=_PATIENCE_SECONDS) as connection:
            connection.sendall(request.encode())
            answer = _read(connection, most_bytes + _MOST_HEADERS, until)
    except OSError as error:
        raise NodeUnheardError(f"{where} does not answer: {error}", _HINT) from error
    head, found, body = answer.partition(b"\r\n\r\n")
    if not _OK.match(head) or not found:
        said = head.partition(b"\r\n")[0][:80].decode(errors="replace")
        raise DeployError(f"{where} is not served: {said or 'nothing'}", _HINT)
    if len(body) > most_bytes:
        raise DeployError(f"{where} is larger than {most_bytes} bytes", _HINT)
    return body


def _read(connection: socket.socket, most_bytes: int, until: float) -> bytes:
    """Read to the end, and one block more than the most at most."""
    answer = bytearray()
    while len(answer) <= most_bytes:
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"not complete within {_PATIENCE_SECONDS:.0f} s")
        connection.settimeout(left)
        block = connection.recv(_BLOCK_BYTES)
        if not block:
            break
        answer += block
    return bytes(answer)
