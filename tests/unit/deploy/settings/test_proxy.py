"""Settings of an app behind the node's proxy."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.load import read_settings
from deploy.settings.model import PROXY_BUILT, PROXY_IMAGE


def test_five_settings_are_enough(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "PROJECT=shop\nIMAGE=localhost/shop:1\nCERT_NAMES=shop.example.org\n"
        "NODE_ADDRESS=192.0.2.1\nACME_EMAIL=ops@example.org\n"
    )

    found = read_settings(tmp_path)

    assert (found.tls, found.cert_from, found.proxy_image) == ("proxy", "node", PROXY_IMAGE)
    assert [source.credential for source in found.sources] == []


def test_a_rehearsal_node_needs_neither_a_registry_nor_an_authority(
    write: Callable[..., Path],
) -> None:
    found = read_settings(write(TLS="proxy", NODE_ADDRESS="rehearsal"))

    assert (found.cert_from, found.proxy_image) == ("own", PROXY_BUILT)


@pytest.mark.parametrize("tls", ["app", "none"])
def test_without_the_proxy_certificates_are_our_own(write: Callable[..., Path], tls: str) -> None:
    found = read_settings(write(TLS=tls, HTTP_PORT="80"))

    assert found.cert_from == "own"
    assert [one.credential for one in found.sources] == (["cert_pass"] if tls == "app" else [])


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"PROJECT": "corefab", "NAME": "proxy"}, "corefab-proxy is the proxy of a node"),
        ({"TLS": "app", "CERT_FROM": "node"}, "which needs TLS=proxy"),
        ({"TLS": "app", "REDIRECT_NAMES": "a.example"}, "REDIRECT_NAMES is for TLS=proxy"),
        ({"TLS": "app", "TRUSTED_PROXIES": "192.0.2.1"}, "TRUSTED_PROXIES is for TLS=proxy"),
        ({"TLS": "none"}, "TLS is none, which needs HTTP_PORT"),
        ({"TLS": "proxy", "SWITCH": "socket", "NOTIFY": "true"}, "which needs TLS=app"),
        ({"TLS": "proxy", "HTTPS_PORT": "8443"}, "the proxy answers at port 443"),
        ({"TLS": "proxy", "HTTP_PORT": "8080"}, "the proxy answers at port 80"),
        ({"TLS": "proxy", "REDIRECT_NAMES": "shop.example.org"}, "is in CERT_NAMES too"),
        ({"TLS": "proxy", "CERT_NAMES": "*.example.org"}, "cannot prove a wildcard"),
        ({"TLS": "proxy", "REDIRECT_NAMES": "*.example.org"}, "cannot prove a wildcard"),
        ({"TLS": "proxy", "ACME_KEY_ID": "k"}, "set both ACME_KEY_ID and ACME_HMAC_KEY"),
        ({"TLS": "proxy", "ACME_KEY_ID": "k {", "ACME_HMAC_KEY": "h"}, "characters that none has"),
        ({"TLS": "proxy", "ACME_KEY_ID": "k", "ACME_HMAC_KEY": "h\t}"}, "ACME_HMAC_KEY is not"),
        ({"TLS": "proxy", "ACME_EMAIL": "a@b {"}, "a mail address"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    complaint: Callable[..., str], values: dict[str, str], why: str
) -> None:
    assert why in complaint(**values)


def test_an_app_that_ends_tls_itself_may_have_a_variable_port(write: Callable[..., Path]) -> None:
    assert read_settings(write(ENV_PORT="1")).environment == {"PORT": "1"}
