"""The health check fetches a page as a visitor does and compares status and certificate."""

import socket
from collections.abc import Iterator

import pytest

from deploy.app.health import HealthCheck, check, served_certificate, wait_until_healthy
from deploy.errors import DeployError
from deploy.node.endpoint import Endpoint
from tests.clock import Clock
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
            endpoint, "/health", fingerprint, timeout_seconds=seconds, died=lambda: reason
        )
    assert caught.value.message.startswith(f"{endpoint}/health: ")
    return caught.value.message.removeprefix(f"{endpoint}/health: ")


def test_a_healthy_page_with_the_expected_certificate_has_no_problem(site: Site) -> None:
    found = check(site.endpoint, "/health")

    assert not found.problem(site.certificate)
    assert (found.status, found.error) == (200, "")
    assert found.certificate
    assert found.certificate.common_name == "www.example.org"


def test_the_request_names_the_host_that_visitors_use(site: Site) -> None:
    check(site.endpoint, "/health?deep=1")

    (request,) = site.requests
    assert request.startswith(b"GET /health?deep=1 HTTP/1.1\r\nHost: www.example.org\r\n")


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


def test_a_server_whose_answer_does_not_end_times_out(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_on(tls: socket.socket) -> None:
        while True:
            tls.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr("deploy.app.health._TIMEOUT_SECONDS", 0.5)
    site.answer = go_on

    assert "timed out" in check(site.endpoint, "/").error


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
        None, 0, "ConnectionRefusedError: [Errno 111] Connection refused"
    )


def test_the_certificate_of_a_handshake_is_read_whatever_the_page(site: Site) -> None:
    site.answer = nonsense

    assert served_certificate(site.endpoint).sha256 == site.certificate


def test_without_a_handshake_there_is_no_certificate() -> None:
    endpoint = refusing()

    with pytest.raises(DeployError, match=f"{endpoint} shows no certificate: ConnectionRefused"):
        served_certificate(endpoint)


def test_waiting_ends_when_the_site_is_healthy(site: Site, clock: Clock) -> None:
    def later(tls: socket.socket) -> None:
        page("200 OK" if len(site.requests) > 3 else "503 Wait")(tls)

    site.answer = later

    wait_until_healthy(site.endpoint, "/", site.certificate, timeout_seconds=10)
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
        wait_until_healthy(site.endpoint, "/", OTHER, timeout_seconds=0)

    assert "HEALTH_TIMEOUT_SECONDS" in caught.value.hint
