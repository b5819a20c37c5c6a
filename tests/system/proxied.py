"""Requests and WebSockets to an app by its name, through the node's proxy."""

import base64
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import Message
from http.client import HTTPConnection
from pathlib import Path

from rehearsal import stock
from tests.system.project import Project


def ca(project: Project) -> Path:
    return project.folder / "certs/material/authority/ca.crt"


def authority(project: Project) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca(project))


def page(project: Project, name: str, path: str = "/") -> tuple[int, str]:
    status, _, text = ask(project, name, path)
    return status, text


def ask(
    project: Project, name: str, path: str, *, port: int = 443, verb: str = "GET", **fields: str
) -> tuple[int, Message, str]:
    """Send a request and read status, fields and text of the answer."""
    with connected(project, name, port) as connection:
        headers = {field.replace("_", "-"): value for field, value in fields.items()}
        connection.request(verb, path, headers=headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read().decode()


def moved(project: Project, name: str, port: int, path: str) -> tuple[int, str | None]:
    """Read where a request is led to."""
    status, fields, _ = ask(project, name, path, port=port, verb="POST")
    return status, fields["Location"]


@contextmanager
def connected(
    project: Project, name: str, port: int = 443, *, trusted: ssl.SSLContext | None = None
) -> Iterator[HTTPConnection]:
    """Connect for a block; `trusted` is for an authority other than the project's own."""
    connection = HTTPConnection(name, timeout=20)
    plain = socket.create_connection((project.node.address, port), timeout=20)
    context = trusted or authority(project)
    connection.sock = context.wrap_socket(plain, server_hostname=name) if port == 443 else plain
    with closing(connection):
        yield connection


@contextmanager
def websocket(
    project: Project, name: str, path: str = "/ws", *, trusted: ssl.SSLContext | None = None
) -> Iterator[socket.socket]:
    plain = socket.create_connection((project.node.address, 443), timeout=20)
    context = trusted or authority(project)
    with context.wrap_socket(plain, server_hostname=name) as tls:
        key = base64.b64encode(os.urandom(16)).decode()
        tls.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {name}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += tls.recv(1)
        assert b" 101 " in head
        yield tls


def said(tls: socket.socket, text: str) -> str:
    """Send a frame and read the answer; empty when the other end has closed."""
    mask = os.urandom(4)
    sent = bytes(one ^ mask[at % 4] for at, one in enumerate(text.encode()))
    tls.sendall(bytes((0x81, 0x80 | len(sent))) + mask + sent)
    head = tls.recv(2)
    return tls.recv(head[1]).decode() if head and head[0] == 0x81 else ""


def http3(address: str, name: str, authority: Path) -> str:
    """Fetch a page over HTTP/3 and nothing else, by a node's curl: Debian 12's cannot."""
    base = stock.tree(lambda _: None)
    libraries = next((base / "usr/lib").glob("*-linux-gnu"))
    loader = next((base / "usr/lib64").glob("ld-linux-*"))
    curl: list[str | Path] = [
        loader,
        "--library-path",
        libraries,
        base / "usr/bin/curl",
        "-q",
        "-sSf",
    ]
    asked: list[str | Path] = ["--http3-only", "--max-time", "20", "--cacert", authority]
    where = ["--resolve", f"{name}:443:{address}", f"https://{name}/"]
    done = subprocess.run([*curl, *asked, *where], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
