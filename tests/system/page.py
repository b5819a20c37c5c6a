"""What a visitor of a node's app gets."""

import http.client
import socket
import ssl
from contextlib import closing
from pathlib import Path


def get(
    address: str, port: int, name: str, authority: Path, *, seconds: float = 20
) -> tuple[int, str]:
    """Fetch a page over verified HTTPS: the name must be in a certificate that ours issued."""
    context = ssl.create_default_context(cafile=str(authority))
    connection = http.client.HTTPConnection(name, port, timeout=seconds)
    with (
        socket.create_connection((address, port), timeout=seconds) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection.sock,
        closing(connection),
    ):
        connection.request("GET", "/")
        response = connection.getresponse()
        return response.status, response.read().decode()
