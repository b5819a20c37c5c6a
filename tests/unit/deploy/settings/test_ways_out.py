"""Settings by which a machine's metrics and journal leave it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.load import read_settings

HASH = "$2y$05$" + "a" * 53
SCRAPED = {
    "TLS": "proxy",
    "METRICS": "on",
    "METRICS_PATH": "/.well-known/metrics",
    "METRICS_PASSWORD_HASH": HASH,
}
SENT = {"METRICS": "on", "OTLP_ENDPOINT": "https://otlp.example.org:4318/otlp/"}


def test_a_path_of_the_proxy_is_guarded_by_a_password_or_by_addresses(
    write: Callable[..., Path],
) -> None:
    found = read_settings(write(**SCRAPED, METRICS_FROM="192.0.2.7, 2001:db8::/32"))

    assert found.metrics_path == "/.well-known/metrics"
    assert found.metrics_from == ("192.0.2.7/32", "2001:db8::/32")
    assert found.metrics_password_hash == HASH
    one = read_settings(write(**SCRAPED | {"METRICS_PASSWORD_HASH": "", "METRICS_FROM": "::1"}))
    assert one.metrics_from == ("::1/128",)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"METRICS": "off"}, "METRICS_PATH needs METRICS=on"),
        ({"TLS": "app"}, "METRICS_PATH needs TLS=proxy: TLS is app"),
        ({"METRICS_PASSWORD_HASH": ""}, "METRICS_PATH would be open to everyone"),
        ({"METRICS_PATH": ""}, "METRICS_PASSWORD_HASH needs METRICS_PATH"),
        ({"METRICS_PATH": "", "METRICS_FROM": "192.0.2.1"}, "METRICS_FROM needs METRICS_PATH"),
        ({"HEALTH_PATH": "/.well-known/metrics?a=b"}, "which is for something else"),
        ({"METRICS_PATH": "/.well-known/corefab"}, "which is for something else"),
        ({"METRICS_PATH": "/.well-known/acme-challenge/x"}, "which is for something else"),
        ({"METRICS_PATH": "/"}, "a path such as /metrics"),
        ({"METRICS_PATH": "/a/*"}, "a path such as /metrics"),
        ({"METRICS_PATH": "/a {"}, "a path such as /metrics"),
        ({"METRICS_PATH": "/../x"}, "a path such as /metrics"),
        ({"METRICS_PASSWORD_HASH": "secret"}, "the bcrypt hash of a password"),
        ({"METRICS_PASSWORD_HASH": f"metrics:{HASH}"}, "the bcrypt hash of a password"),
        ({"METRICS_PASSWORD_HASH": "$2y$14$" + "a" * 53}, "of a cost of 12 at most"),
    ],
)
def test_a_path_that_cannot_be_served_is_refused(
    complaint: Callable[..., str], values: dict[str, str], why: str
) -> None:
    assert why in complaint(**SCRAPED | values)


def test_an_endpoint_has_no_slash_at_its_end(write: Callable[..., Path]) -> None:
    found = read_settings(write(**SENT, OTLP_HEADERS="a=b", OTLP_SEND="logs"))

    assert found.otlp_endpoint == "https://otlp.example.org:4318/otlp"
    assert found.otlp_send == ("logs",)
    assert "otlp_headers" in {one.credential for one in found.sources}


@pytest.mark.parametrize(
    "address",
    ["https://192.0.2.1", "https://[2001:db8::1]:443/x", "http://127.0.0.1:4318", "https://host"],
)
def test_an_endpoint_is_reached_by_https_or_is_the_machine_itself(
    write: Callable[..., Path], address: str
) -> None:
    assert read_settings(write(**SENT | {"OTLP_ENDPOINT": address})).otlp_endpoint == address


@pytest.mark.parametrize(
    "address",
    [
        "http://otlp.example.org", "http://127.0.0.1.example.org", "http://127.0.0.1@example.org",
        "https://user:secret@example.org", "https://example.org/v1/logs", "otlp.example.org:4317",
        "https://example.org/v1/metrics/", "https://example.org/?token=x", "https://example.org/#",
        "https://example.org/ -o /etc/x", "https://example.org/../x", "https://", "file:///etc/x",
        "https://{a,b}.example.org", "https://example.org/[1-9]",
    ],
)  # fmt: skip
def test_another_address_is_no_endpoint(complaint: Callable[..., str], address: str) -> None:
    assert "the https address of an endpoint" in complaint(**SENT | {"OTLP_ENDPOINT": address})


def test_traces_alone_need_no_metrics(write: Callable[..., Path]) -> None:
    found = read_settings(write(**SENT | {"METRICS": "off", "OTLP_SEND": "traces"}))

    assert found.otlp_send == ("traces",)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"METRICS": "off"}, "OTLP_ENDPOINT needs METRICS=on"),
        ({"OTLP_ENDPOINT": "", "OTLP_HEADERS": "a=b"}, "OTLP_HEADERS needs OTLP_ENDPOINT"),
        ({"OTLP_ENDPOINT": "", "OTLP_HEADERS_COMMAND": "x"}, "OTLP_HEADERS needs OTLP_ENDPOINT"),
        ({"OTLP_ENDPOINT": "", "OTLP_ROOT": "root.pem"}, "OTLP_ROOT needs OTLP_ENDPOINT"),
        ({"OTLP_SEND": "spans"}, "logs, metrics and traces"),
        (
            {"OTLP_SEND": "traces", "OTLP_ENDPOINT": "http://127.0.0.1:4318"},
            "OTLP_ENDPOINT has to be https",
        ),
        ({"OTLP_HEADERS": "a=b", "SECRET_OTLP_HEADERS": "c"}, "the credential otlp_headers"),
    ],
)
def test_what_could_not_be_sent_is_refused(
    complaint: Callable[..., str], values: dict[str, str], why: str
) -> None:
    assert why in complaint(**SENT | values)
