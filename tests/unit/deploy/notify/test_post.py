"""A message goes to the address of the settings, signed, and nowhere else."""

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from deploy.errors import DeployError
from deploy.notify.receiver import receivers
from deploy.settings.model import Settings
from tests.unit.deploy.examples import settings
from tests.unit.deploy.notify.receivers import Hook, example
from tests.unit.deploy.site import refusing

pytestmark = pytest.mark.loopback


def send(own: Settings) -> str:
    (one,) = receivers(own)
    return one.send(example())


@pytest.mark.parametrize(
    ("key", "used"),
    [("a text", b"a text"), ("whsec_" + base64.b64encode(b"\0key").decode(), b"\0key")],
)
def test_a_message_is_signed_as_standard_webhooks_have_it(
    key: str, used: bytes, receiver: Hook
) -> None:
    assert send(settings(NOTIFY_URL=receiver.url, NOTIFY_KEY=key)) == "127.0.0.1"

    (came,) = receiver.came
    at = came.headers["webhook-timestamp"]
    mac = hmac.new(used, f"cf_1.{at}.".encode() + came.body, hashlib.sha256).digest()
    assert came.headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    assert (came.headers["webhook-id"], came.path) == ("cf_1", "/hooks/s3cr3t-path")
    assert (came.json["event"], came.json["title"]) == ("drift", "web1 differs")


def test_without_a_key_nothing_is_signed(receiver: Hook) -> None:
    send(settings(NOTIFY_URL=receiver.url))

    assert "webhook-signature" not in receiver.came[0].headers


def test_a_key_that_is_not_base64_is_refused(receiver: Hook) -> None:
    with pytest.raises(DeployError, match="not Base64"):
        send(settings(NOTIFY_URL=receiver.url, NOTIFY_KEY="whsec_?"))

    assert receiver.came == []


def test_matrix_gets_an_event_with_an_id_of_its_own_and_a_token(receiver: Hook) -> None:
    send(settings(NOTIFY_URL=receiver.url, NOTIFY_FORMAT="matrix", NOTIFY_TOKEN="syt_x"))

    (came,) = receiver.came
    assert (came.method, came.path) == ("PUT", "/hooks/s3cr3t-path/cf_1")
    assert came.headers["authorization"] == "Bearer syt_x"


def test_a_redirect_is_not_followed(receiver: Hook) -> None:
    receiver.status, receiver.location = 307, receiver.url + "/elsewhere"

    with pytest.raises(DeployError, match="answers 307"):
        send(settings(NOTIFY_URL=receiver.url, NOTIFY_TOKEN="t"))

    assert len(receiver.came) == 1


@pytest.mark.parametrize("token", ["a\nb", "\u20ac", "a\0b"])
def test_a_token_that_no_header_takes_is_an_error_that_does_not_show_it(
    token: str, receiver: Hook
) -> None:
    with pytest.raises(DeployError) as caught:
        send(settings(NOTIFY_URL=receiver.url, NOTIFY_TOKEN=token))

    assert token not in caught.value.message
    assert receiver.came == []


def test_the_address_is_in_no_message() -> None:
    gone = refusing()

    with pytest.raises(DeployError) as caught:
        send(settings(NOTIFY_URL=f"http://127.0.0.1:{gone.port}/hooks/s3cr3t"))

    assert "127.0.0.1 cannot be reached: ConnectionError" in caught.value.message
    assert "s3cr3t" not in caught.value.message + caught.value.hint
    assert caught.value.__cause__ is None


@pytest.mark.program
def test_the_address_can_come_from_a_command(receiver: Hook, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(f"{receiver.url}\n")

    send(settings(NOTIFY_URL_COMMAND=f"cat {file}"))

    assert len(receiver.came) == 1


@pytest.mark.program
@pytest.mark.parametrize(
    "printed", ["file:///etc/passwd", "https://[", "no address", "http://x:0/"]
)
def test_a_command_that_prints_no_address_is_refused(printed: str) -> None:
    with pytest.raises(DeployError, match="NOTIFY_URL is no address"):
        send(settings(NOTIFY_URL_COMMAND=f"echo '{printed}'"))
