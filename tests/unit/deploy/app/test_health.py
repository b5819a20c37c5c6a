"""The health check fetches a page as a visitor does and compares status and certificate."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from deploy.app.health import HealthCheck, check, visit, wait_until_healthy
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint
from tests.clock import Clock
from tests.unit.certs.forge import Recipe, forge
from tests.unit.deploy.site import Site, endless, nonsense, page, refusing, serve, silence

pytestmark = pytest.mark.loopback
OTHER = "0" * 64


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(page("200 OK", b"hello")) as running:
        yield running


def failure(endpoint: Endpoint, fingerprint: str, seconds: float = 0.0, reason: str = "") -> str:
    with pytest.raises(DeployError) as caught:
        wait_until_healthy(
            (endpoint,), "/health", fingerprint, timeout_seconds=seconds, died=lambda: reason
        )
    assert caught.value.message.startswith(f"{endpoint}/health: ")
    return caught.value.message.removeprefix(f"{endpoint}/health: ")


def test_a_healthy_page_with_the_expected_certificate_has_no_problem(site: Site) -> None:
    found = check(site.endpoint, "/health")

    assert not found.problem(site.certificate)
    assert (found.status, found.error) == (200, "")
    assert found.certificate
    assert found.certificate.common_name == "www.example.org"


def test_a_name_in_a_certificate_adds_no_line_to_a_problem() -> None:
    with serve(page("200 OK"), forge(Recipe(subject="a\nerror: b"))) as site:
        problem = check(site.endpoint, "/").problem(OTHER)

    assert "(a error: b)" in problem


def test_the_request_names_the_host_that_visitors_use(site: Site) -> None:
    check(site.endpoint, "/health?deep=1")

    (request,) = site.requests
    assert request.startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert f"\r\nHost: www.example.org:{site.endpoint.port}\r\n".encode() in request


def test_another_certificate_is_a_problem_whatever_the_page(site: Site) -> None:
    problem = check(site.endpoint, "/").problem(OTHER)

    assert problem == (
        f"shows certificate {site.certificate[:16]} (www.example.org), not the expected one"
    )


@pytest.mark.parametrize("status", ["500 Oh", "404 No", "301 Elsewhere", "199 Hm"])
def test_a_status_other_than_success_is_a_problem(site: Site, status: str) -> None:
    site.answer = page(status)

    assert check(site.endpoint, "/").problem(site.certificate) == (
        f"the health path answers {status[:3]}"
    )


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "299 Hm"])
def test_every_status_of_success_is_healthy(site: Site, status: str) -> None:
    site.answer = page(status)

    assert not check(site.endpoint, "/").problem(site.certificate)


def test_a_silent_server_times_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.app.health._TIMEOUT_SECONDS", 1)
    site.answer = silence

    found = check(site.endpoint, "/")
    assert "timed out" in found.error
    assert found.certificate
    assert found.problem(site.certificate)


def test_a_server_whose_answer_does_not_end_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_on(tls: socket.socket) -> None:
        tls.settimeout(1)
        while True:
            tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr("deploy.app.health._TIMEOUT_SECONDS", 0.5)
    site.answer = go_on

    # Python 3.14 counts them.
    assert re.search("timed out|more than 100 interim", check(site.endpoint, "/").error)


def test_a_check_takes_no_longer_than_its_caller_waits(site: Site) -> None:
    site.answer = silence

    found = check(site.endpoint, "/", 0.2)
    assert "timed out" in found.error


def test_a_server_without_a_handshake_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.app.health._TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1], "www.example.org")

        found = check(endpoint, "/")
    assert "timed out" in found.error
    assert found.certificate is None


@contextmanager
def sending(data: bytes) -> Iterator[Endpoint]:
    """Serve one connection with bytes that go on and on."""
    held: list[socket.socket] = []

    def send() -> None:
        connection, _ = listener.accept()
        held.append(connection)
        with suppress(OSError):
            while True:
                connection.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=send)
        thread.start()
        yield Endpoint("127.0.0.1", listener.getsockname()[1], "www.example.org")
        with held[0], suppress(OSError):
            held[0].shutdown(socket.SHUT_RDWR)
        thread.join()


# TLS ignores a HelloRequest during a handshake.
@pytest.mark.parametrize("record", [b"\x16\x03\x03\x00\x04" + bytes(4), b"\x16\x03\x03\x00\x00"])
def test_a_handshake_that_does_not_end_times_out(
    record: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.app.health._TIMEOUT_SECONDS", 0.5)

    with sending(record * 1000) as endpoint:
        found = check(endpoint, "/")

    assert found.error
    assert found.certificate is None


def test_an_error_does_not_repeat_all_that_a_server_sent(site: Site) -> None:
    site.answer = lambda tls: tls.sendall(b"x" * 60_000 + b"\r\n")

    assert len(check(site.endpoint, "/").error) <= 200


def test_a_server_of_another_protocol_is_a_problem(site: Site) -> None:
    site.answer = nonsense

    assert check(site.endpoint, "/").problem(site.certificate).startswith("BadStatusLine: ")


def test_a_server_that_hangs_up_is_a_problem(site: Site) -> None:
    site.answer = socket.socket.close

    assert check(site.endpoint, "/").error


def test_an_endless_page_is_not_read_to_its_end(site: Site) -> None:
    site.answer = endless

    assert not check(site.endpoint, "/").problem(site.certificate)


def test_a_connection_reset_before_the_handshake_is_a_problem_and_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain = socket.create_connection(listener.getsockname())
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: plain)

    assert "not connected" in check(refusing(), "/").error
    assert plain.fileno() == -1


def test_a_port_where_nothing_listens_is_named() -> None:
    assert check(refusing(), "/") == HealthCheck(
        None, 0, "ConnectionRefusedError: [Errno 111] Connection refused", reached=False
    )


def test_the_certificate_of_a_handshake_is_read_whatever_the_page(site: Site) -> None:
    site.answer = nonsense

    shown = check(site.endpoint, "/").certificate
    assert shown
    assert shown.sha256 == site.certificate


def test_an_address_that_takes_no_connections_is_passed_over_with_a_warning(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = refusing()

    wait_until_healthy((nothing, site.endpoint), "/", site.certificate, timeout_seconds=0)

    assert f"warning: {nothing} takes no connections" in capsys.readouterr().err


def test_an_address_that_takes_connections_and_is_not_healthy_counts(site: Site) -> None:
    with serve(page("500 Oh")) as other:
        found = visit((site.endpoint, other.endpoint), "/", site.certificate)

    assert found.where == other.endpoint
    assert found.problem.startswith("shows certificate")


def test_addresses_of_which_none_takes_connections_are_not_healthy() -> None:
    nothing = refusing()

    found = visit((nothing, nothing), "/", OTHER)

    assert (found.where, found.unreached) == (nothing, ())
    assert found.problem.startswith("ConnectionRefusedError")


@pytest.mark.parametrize(
    ("host", "port", "sent"),
    [
        ("shop.example.org", 443, "shop.example.org"),
        ("shop.example.org", 8443, "shop.example.org:8443"),
        ("2001:db8::7", 443, "[2001:db8::7]"),
        ("2001:db8::7", 8443, "[2001:db8::7]:8443"),
        ("192.0.2.7", 8443, "192.0.2.7:8443"),
    ],
)
def test_the_host_header_is_a_browsers(host: str, port: int, sent: str) -> None:
    assert Endpoint("192.0.2.1", port, host).authority == sent


def test_a_name_that_is_an_ipv6_address_is_asked_for_in_brackets(site: Site) -> None:
    check(replace(site.endpoint, host="2001:db8::7"), "/")

    (request,) = site.requests
    assert f"\r\nHost: [2001:db8::7]:{site.endpoint.port}\r\n".encode() in request


def test_waiting_ends_when_the_site_is_healthy(site: Site, clock: Clock) -> None:
    def later(tls: socket.socket) -> None:
        page("200 OK" if len(site.requests) > 3 else "503 Wait")(tls)

    site.answer = later

    wait_until_healthy((site.endpoint,), "/", site.certificate, timeout_seconds=10)
    assert len(site.requests) == 4
    assert clock.slept > 0


def test_waiting_ends_in_time_with_the_last_problem(site: Site, clock: Clock) -> None:
    site.answer = page("500 Oh")

    said = failure(site.endpoint, site.certificate, 30)
    assert said == "not healthy within 30 s: the health path answers 500"
    assert 30 < clock.slept <= 31


def test_waiting_ends_at_once_when_the_app_has_died(clock: Clock) -> None:
    said = failure(refusing(), OTHER, 60, "the app is failed")

    assert said.startswith("the app is failed: ConnectionRefusedError")
    assert clock.slept == 0


def test_a_failure_names_the_settings_of_the_check(site: Site) -> None:
    with pytest.raises(DeployError) as caught:
        wait_until_healthy((site.endpoint,), "/", OTHER, timeout_seconds=0)

    assert "HEALTH_TIMEOUT_SECONDS" in caught.value.hint
