"""The endpoint is asked as a visitor would, and judged by certificate and page."""

import socket
from collections.abc import Iterator

import pytest

from deploy.app.health import Answer, ask, served_certificate
from deploy.app.prove import prove
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
        prove(endpoint, "/health", fingerprint, timeout_seconds=seconds, died=lambda: reason)
    assert caught.value.message.startswith(f"{endpoint}/health: ")
    return caught.value.message.removeprefix(f"{endpoint}/health: ")


def test_a_healthy_page_with_the_expected_certificate_is_proof(site: Site) -> None:
    answer = ask(site.endpoint, "/health")

    assert answer.proves(site.certificate)
    assert (answer.status, answer.trouble) == (200, "")
    assert answer.certificate
    assert answer.certificate.common_name == "www.example.org"


def test_the_site_is_asked_for_by_the_name_that_visitors_use(site: Site) -> None:
    ask(site.endpoint, "/health?deep=1")

    (request,) = site.requests
    assert request.startswith(b"GET /health?deep=1 HTTP/1.1\r\nHost: www.example.org\r\n")


def test_another_certificate_is_no_proof_whatever_the_page(site: Site) -> None:
    complaint = ask(site.endpoint, "/").complaint(OTHER)

    assert complaint == (
        f"shows certificate {site.certificate[:16]} (www.example.org), not the expected one"
    )


@pytest.mark.parametrize("status", ["500 Oh", "404 No", "301 Elsewhere", "199 Hm"])
def test_another_status_is_no_proof(site: Site, status: str) -> None:
    site.answer = page(status)

    assert ask(site.endpoint, "/").complaint(site.certificate) == (
        f"the health path answers {status[:3]}"
    )


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "299 Hm"])
def test_every_status_of_success_is_proof(site: Site, status: str) -> None:
    site.answer = page(status)

    assert ask(site.endpoint, "/").proves(site.certificate)


def test_a_server_that_is_silent_is_given_up(site: Site) -> None:
    site.answer = silence

    answer = ask(site.endpoint, "/", patience_seconds=0.2)
    assert "timed out" in answer.trouble
    assert answer.certificate
    assert not answer.proves(site.certificate)


def test_a_server_that_never_shakes_hands_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1], "www.example.org")

        answer = ask(endpoint, "/", patience_seconds=0.2)
    assert "timed out" in answer.trouble
    assert answer.certificate is None


def test_a_server_that_speaks_something_else_is_no_proof(site: Site) -> None:
    site.answer = nonsense

    assert ask(site.endpoint, "/").complaint(site.certificate).startswith("BadStatusLine: ")


def test_a_server_that_hangs_up_is_no_proof(site: Site) -> None:
    site.answer = socket.socket.close

    assert ask(site.endpoint, "/").trouble


def test_a_page_without_end_is_not_read_to_its_end(site: Site) -> None:
    site.answer = endless

    assert ask(site.endpoint, "/").proves(site.certificate)


def test_a_connection_that_is_reset_before_the_handshake_is_no_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        plain = socket.create_connection(listener.getsockname())
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: plain)

    assert "not connected" in ask(refusing(), "/").trouble
    assert plain.fileno() == -1


def test_a_port_where_nothing_listens_says_so() -> None:
    assert ask(refusing(), "/") == Answer(
        None, 0, "ConnectionRefusedError: [Errno 111] Connection refused"
    )


def test_the_certificate_of_a_handshake_is_read_whatever_the_page(site: Site) -> None:
    site.answer = nonsense

    assert served_certificate(site.endpoint).sha256 == site.certificate


def test_without_a_handshake_there_is_no_certificate() -> None:
    endpoint = refusing()

    with pytest.raises(DeployError, match=f"{endpoint} gives no certificate: ConnectionRefused"):
        served_certificate(endpoint)


def test_proving_waits_until_the_site_is_healthy(site: Site, clock: Clock) -> None:
    def later(tls: socket.socket) -> None:
        page("200 OK" if len(site.requests) > 3 else "503 Wait")(tls)

    site.answer = later

    prove(site.endpoint, "/", site.certificate, timeout_seconds=10)
    assert len(site.requests) == 4
    assert clock.slept > 0


def test_proving_ends_in_time_with_the_last_complaint(site: Site, clock: Clock) -> None:
    site.answer = page("500 Oh")

    said = failure(site.endpoint, site.certificate, 30)
    assert said == "not healthy within 30 s: the health path answers 500"
    assert 30 < clock.slept <= 31


def test_proving_ends_at_once_when_the_app_has_died(clock: Clock) -> None:
    said = failure(refusing(), OTHER, 60, "the app is failed")

    assert said.startswith("the app is failed: ConnectionRefusedError")
    assert clock.slept == 0


def test_a_failure_says_what_to_look_at(site: Site) -> None:
    with pytest.raises(DeployError) as caught:
        prove(site.endpoint, "/", OTHER, timeout_seconds=0)

    assert "HEALTH_TIMEOUT_SECONDS" in caught.value.hint
