"""What a node serves for its operators is fetched within bounds."""

import contextlib
import socket

import pytest

from deploy.errors import DeployError
from deploy.page import fetch as fetching
from deploy.page.fetch import STATUS, fetch
from tests.unit.deploy.page.pages import answering, serving

pytestmark = pytest.mark.loopback
MOST = 100


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "_PATIENCE_SECONDS", 0.2)


def fetched(monkeypatch: pytest.MonkeyPatch, port: int) -> bytes:
    monkeypatch.setattr(fetching, "_PORT", port)
    return fetch("127.0.0.1", STATUS, MOST)


def test_a_file_is_fetched_by_the_name_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        asked.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.0 200 OK\r\nX: y\r\n\r\n\0\r\n\r\n\xff")

    with serving(answer) as port:
        assert fetched(monkeypatch, port) == b"\0\r\n\r\n\xff"

    assert asked[0].startswith(b"GET /.well-known/corefab/status HTTP/1.0\r\nHost: corefab-proxy\r")


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        ("404 Not\x1b[2J Found", b"", "is not served: HTTP/1.1 404"),
        ("301 Moved", b"", "is not served: HTTP/1.1 301"),
        ("200 OK", b"x" * (MOST + 1), "is larger than 100 bytes"),
        ("200 OK", b"x" * 10**6, "is larger than 100 bytes"),
        ("200 OK\r\n" + "x" * 10**5, b"", "is not served"),
    ],
)
def test_anything_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, status: str, body: bytes, why: str
) -> None:
    with serving(answering(status, body)) as port, pytest.raises(DeployError, match=why):
        fetched(monkeypatch, port)


def test_an_answer_that_comes_too_slowly_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def trickle(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"H")
                connection.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(65536):
                        return

    with serving(trickle) as port, pytest.raises(DeployError, match="does not answer"):
        fetched(monkeypatch, port)


def test_a_node_that_takes_no_connection_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(DeployError, match="status does not answer"):
        fetched(monkeypatch, port)
