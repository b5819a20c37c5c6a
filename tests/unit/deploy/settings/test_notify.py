"""Receivers of notifications are checked before anything is sent, and known to who needs them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.load import SettingsError, read_settings
from deploy.settings.model import Settings
from deploy.spec.plan.values import template_values
from tests.unit.deploy.examples import settings

Write = Callable[..., Path]
URL = "https://hooks.example.org/x/s3cr3t?y=1"
PULL = {"TLS": "none", "HTTP_PORT": "80", "PULL": "registry.example.org/shop/www:live"}


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"NOTIFY_URL": "ftp://s3cr3t"}, "NOTIFY_URL is not an address"),
        ({"NOTIFY_URL": "https://s3cr3t:99999/"}, "NOTIFY_URL is not an address"),
        ({"NOTIFY_URL": 'https://x/"s3cr3t'}, "NOTIFY_URL is not an address"),
        ({"NOTIFY_URL": "https://[s3cr3t"}, "NOTIFY_URL is not an address"),
        ({"NOTIFY_KEY": "s3cr3t"}, "NOTIFY_KEY is set, and NOTIFY_URL is not"),
        ({"NOTIFY_MAIL": "ops@example.org"}, "NOTIFY_MAIL needs SMTP_HOST"),
        ({"NOTIFY_URL": URL, "NOTIFY_FORMAT": "matrix"}, "needs NOTIFY_TOKEN"),
        ({"NOTIFY_URL": URL, "NOTIFY_FORMAT": "teams"}, "allowed: json, slack, ntfy, matrix or"),
        ({"NOTIFY_URL": URL, "NOTIFY_URL_COMMAND": "x"}, "are both set"),
    ],
)
def test_what_cannot_work_is_refused_and_not_shown(
    write: Write, given: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings(write(**given))

    assert why in caught.value.message
    assert len(caught.value.problems) == 1
    assert "s3cr3t" not in caught.value.message


@pytest.mark.parametrize("mail", ["ops", "a@b@c", "Ops <ops@example.org>", "a@b\\nBcc: c@d"])
def test_what_is_no_mail_address_is_refused(write: Write, mail: str) -> None:
    with pytest.raises(SettingsError, match="allowed: mail addresses"):
        read_settings(write(NOTIFY_MAIL=mail, SMTP_HOST="mail"))


def test_there_can_be_several_mail_addresses(write: Write) -> None:
    own = read_settings(write(NOTIFY_MAIL="ops@example.org, a.b+c@x", SMTP_HOST="mail"))

    assert own.notify_mail == ("ops@example.org", "a.b+c@x")


def credentials(own: Settings) -> list[str]:
    return [one.credential for one in own.sources]


def test_only_a_node_that_acts_by_itself_gets_what_reaches_the_receiver() -> None:
    own = {"NOTIFY_URL": URL, "NOTIFY_KEY": "k"}

    assert credentials(settings(**own)) == ["cert_pass"]
    assert credentials(settings(**PULL | own)) == ["notify_key", "notify_url"]
    assert credentials(settings(**PULL | own, PULL_MODE="off")) == []


def test_a_machine_can_be_born_without_them() -> None:
    assert settings(**PULL, NOTIFY_URL=URL).born


def test_they_come_in_the_nodes_bundle() -> None:
    own = settings(**PULL, NOTIFY_URL=URL, PULL_NODE="shop1")

    assert own.bundled == ("notify_url",)


def test_no_container_gets_them() -> None:
    own = settings(**PULL, NOTIFY_URL=URL, NOTIFY_TOKEN="t")

    assert template_values(own)["CREDENTIAL"] == ()
