"""A mail goes through the server of the settings; a password never without TLS."""

import pytest

from deploy.errors import DeployError
from deploy.notify.receiver import receivers
from deploy.settings.model import Settings
from tests.unit.deploy.examples import settings
from tests.unit.deploy.notify.receivers import AT, BROKEN, Mails, example
from tests.unit.deploy.site import refusing

pytestmark = pytest.mark.loopback


def box(mails: Mails, **own: object) -> Settings:
    usual = {"NOTIFY_MAIL": "ops@example.org", "SMTP_HOST": "127.0.0.1"}
    return settings(**usual | {"SMTP_PORT": str(mails.port)} | own)


def test_a_mail_has_the_title_the_text_and_an_id(mails: Mails) -> None:
    (one,) = receivers(box(mails))

    assert one.send(example()) == "ops@example.org"

    ((to, mail),) = mails.came
    assert (to, mail["From"]) == ("ops@example.org", "shop-www@127.0.0.1")
    assert mail["Subject"] == BROKEN.title
    assert mail.get_content().splitlines() == [BROKEN.title, BROKEN.text]
    assert mail["Message-ID"] == "<cf_1@shop-www.corefab.invalid>"
    assert mail["Date"].datetime == AT


def test_text_that_is_not_ascii_arrives(mails: Mails) -> None:
    (one,) = receivers(box(mails))

    one.send(example(title="Grüße ✓", text="日本"))

    assert mails.came[0][1]["Subject"] == "Grüße ✓"
    assert "日本" in mails.came[0][1].get_content()


def test_a_password_is_not_sent_without_tls(mails: Mails) -> None:
    (one,) = receivers(box(mails, SMTP_USER="shop@example.org", SMTP_PASSWORD="hunter2"))

    with pytest.raises(DeployError, match="STARTTLS") as caught:
        one.send(example())

    assert mails.came == []
    assert "hunter2" not in caught.value.message


def test_a_mail_server_that_refuses_is_an_error(mails: Mails) -> None:
    mails.answer = "550 \x1b[2Jno"
    (one,) = receivers(box(mails))

    with pytest.raises(DeployError, match="does not take a mail for ops@"):
        one.send(example())


def test_a_mail_server_that_is_not_there_is_an_error(mails: Mails) -> None:
    (one,) = receivers(box(mails, SMTP_PORT=str(refusing().port)))

    with pytest.raises(DeployError, match="ConnectionRefusedError"):
        one.send(example())
