"""Contradicting ACME settings are reported before an authority is asked."""

import pytest

from deploy.settings.conflicts import conflicts
from tests.unit.deploy.examples import settings

ACME = {"CERT_FROM": "acme", "ACME_TERMS_AGREED": "true"}


def keys(**values: object) -> set[str]:
    return {key for key, _ in conflicts(settings(**values))}


def test_acme_with_agreed_terms_is_accepted() -> None:
    assert keys(**ACME) == set()


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"ACME_TERMS_AGREED": "false"}, "ACME_TERMS_AGREED"),
        ({"ACME_CHALLENGE": "dns-01"}, "ACME_DNS_COMMAND"),
        ({"CERT_NAMES": "*.example.org"}, "ACME_CHALLENGE"),
        (
            {
                "ACME_CHALLENGE": "dns-01",
                "ACME_DNS_COMMAND": "x",
                "CERT_NAMES": "a.example 192.0.2.7",
            },
            "ACME_CHALLENGE",
        ),
        (
            {"ACME_CHALLENGE": "dns-01", "ACME_DNS_COMMAND": "x", "CERT_NAMES": "2001:db8::7"},
            "ACME_CHALLENGE",
        ),
        ({"ACME_KEY_ID": "kid-1"}, "ACME_KEY_ID"),
        ({"ACME_HMAC_KEY": "secret"}, "ACME_KEY_ID"),
    ],
)
def test_settings_that_an_authority_would_refuse_are_reported(
    values: dict[str, str], key: str
) -> None:
    assert keys(**ACME | values) == {key}
    assert keys(**values) == set(), "without CERT_FROM=acme no authority is asked"


def test_the_hmac_key_is_not_shown() -> None:
    held = settings(ACME_KEY_ID="kid-1", ACME_HMAC_KEY="hunter2")

    assert "hunter2" not in repr(held)
    assert "hunter2" not in held.model_dump_json()
