"""User data holds no secret, and a pointer accepts one file only."""

import base64
import gzip
import hashlib
import json

import pytest

from deploy.machine.cloud.plan.user_data import pointer, secrets_in


def with_content(source: str, **more: str) -> bytes:
    file = {"path": "/etc/thing", "contents": {"source": source, **more}}
    return json.dumps({"ignition": {"version": "3.3.0"}, "storage": {"files": [file]}}).encode()


def packed(content: bytes) -> str:
    return f"data:;base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    "config",
    [
        with_content("data:,say%20hunter2%0A"),
        with_content(packed(b"say hunter2")),
        with_content(packed(gzip.compress(b"say hunter2")), compression="gzip"),
    ],
)
def test_a_secret_is_found_however_a_file_is_packed(config: bytes) -> None:
    assert secrets_in(config, {"SMTP_PASSWORD": "hunter2"}) == (
        "the value of SMTP_PASSWORD in /etc/thing",
    )


def test_a_private_key_is_found_without_being_named() -> None:
    key = b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"

    assert secrets_in(with_content(packed(key)), {}) == ("a private key in /etc/thing",)


def test_a_secret_in_a_unit_is_found() -> None:
    units = [{"name": "a.service", "contents": "Environment=TOKEN=hunter2"}]
    config = json.dumps({"systemd": {"units": units}}).encode()

    assert secrets_in(config, {"TOKEN": "hunter2"}) == ("the value of TOKEN in a.service",)


@pytest.mark.parametrize(
    "config",
    [
        with_content("data:,nothing"),
        with_content("data:;base64,!!!"),
        with_content("https://example.org/file"),
        with_content(packed(b"not gzip"), compression="gzip"),
    ],
)
def test_a_config_without_secrets_is_accepted(config: bytes) -> None:
    assert secrets_in(config, {"SMTP_PASSWORD": "hunter2", "EMPTY": ""}) == ()


def test_a_pointer_accepts_only_the_file_that_it_was_made_for() -> None:
    config = with_content("data:,x")

    made = json.loads(pointer(config, "https://example.org/m.ign"))

    replace = made["ignition"]["config"]["replace"]
    assert replace["source"] == "https://example.org/m.ign"
    digest = hashlib.sha512(config).hexdigest()
    assert replace["verification"] == {"hash": f"sha512-{digest}"}
