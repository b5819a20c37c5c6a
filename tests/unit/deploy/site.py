"""A real TLS server on the loopback interface, with a thread of its own."""

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deploy.node.endpoint import Endpoint
from tests.certs.forge import Made, Recipe, forge

Answer = Callable[[socket.socket], None]
CHUNK = 65536


@dataclass
class Site:
    """Where it is, the certificate it shows, and what it was asked; `answer` may be changed."""

    endpoint: Endpoint
    certificate: str
    answer: Answer
    requests: list[bytes]


def page(status: str, body: bytes = b"") -> Answer:
    """Answer a request with a page."""

    def answer(tls: socket.socket) -> None:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        tls.sendall(head.encode() + body)

    return answer


def silence(tls: socket.socket) -> None:
    """Wait until the other end gives up."""
    tls.recv(CHUNK)


def nonsense(tls: socket.socket) -> None:
    """Answer with what is no page."""
    tls.sendall(b"220 mail.example.org\r\n")


def endless(tls: socket.socket) -> None:
    """Send a page that has no end."""
    tls.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        tls.sendall(b"x" * CHUNK)


@contextlib.contextmanager
def serve(answer: Answer, made: Made | None = None) -> Iterator[Site]:
    """Serve until the block ends."""
    made = made or forge(Recipe())
    context = _context(made)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        endpoint = Endpoint("127.0.0.1", port, "www.example.org")
        site = Site(endpoint, made.certificate.sha256, answer, [])
        thread = threading.Thread(target=_accept, args=(listener, context, site))
        thread.start()
        try:
            yield site
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def refusing() -> Endpoint:
    """Give an endpoint where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return Endpoint("127.0.0.1", listener.getsockname()[1], "www.example.org")


def _context(made: Made) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(made.certificate.pem + key)
        context.load_cert_chain(file.name)
    return context


def _accept(listener: socket.socket, context: ssl.SSLContext, site: Site) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        plain.settimeout(10)
        # A visitor may go away at any time, and some are made to.
        with plain, contextlib.suppress(OSError):
            plain.getpeername()  # ssl would leave its socket open where the other end is gone
            with context.wrap_socket(plain, server_side=True) as tls:
                site.requests.append(tls.recv(CHUNK))
                site.answer(tls)
