"""Settings of a node without SSH, and what a machine can be born with."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.settings.load import read_settings
from deploy.settings.model import PROXY_IMAGE
from tests.unit.deploy.examples import settings

HASH = "$y$j9T$0123456789abcdef01234$0123456789012345678901234567890123456789012"
TAG = "registry.example.org/shop/www:live"
CADDY = "registry.example.org/shop/caddy"
PINNED = f"{CADDY}@sha256:{'a' * 64}"
CLOSED = {
    "TLS": "proxy",
    "NODE_ADDRESS": "192.0.2.1",
    "SSH": "off",
    "PULL": TAG,
    "CONSOLE_PASSWORD_HASH": HASH,
}


def test_a_node_that_follows_a_tag_and_has_a_way_back_may_be_without_ssh(
    write: Callable[..., Path],
) -> None:
    found = read_settings(write(**CLOSED))

    assert (found.ssh, found.born, found.console_password_hash) == ("off", True, HASH)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"CONSOLE_PASSWORD_HASH": ""}, "no way back in: set it to the hash of a password"),
        ({"CONSOLE_PASSWORD_HASH": "hunter2"}, "the hash of a password as `mkpasswd` prints it"),
        ({"PULL": ""}, "no deploy reaches the node"),
        ({"PULL_MODE": "off"}, "no deploy reaches the node"),
        ({"PULL_LOGIN": "ann:x"}, "PULL_LOGIN: SSH is off, and credentials are sealed"),
        ({"SECRET_TOKEN": "x"}, "SECRET_TOKEN: SSH is off, and credentials are sealed"),
        ({"PROJECT_FILES": "files"}, "PROJECT_FILES: SSH is off, and these are sent"),
        ({"CERT_FROM": "own"}, "CERT_PASSWORD: SSH is off, and a TLS key of ours"),
        ({"TLS": "app"}, "use TLS=proxy with CERT_FROM=node"),
        ({"PROXY_IMAGE": "localhost/caddy:1"}, "the node has to pull its proxy by itself"),
        ({"PROXY_IMAGE": "docker.io/library/caddy:2"}, "the node has to pull its proxy by itself"),
    ],
)
def test_what_would_leave_a_node_without_ssh_stranded_is_refused(
    complaint: Callable[..., str], values: dict[str, str], why: str
) -> None:
    assert why in complaint(**CLOSED | values)


@pytest.mark.parametrize(
    ("image", "pulled"),
    [
        (PROXY_IMAGE, PROXY_IMAGE),
        (PINNED, PINNED),
        (f"{CADDY}:live", f"{CADDY}:live"),
        ("docker.io/library/caddy:2", ""),
        ("localhost/corefab-proxy:latest", ""),
        ("oci:/srv/caddy", ""),
        (f"{CADDY}@sha256:short", ""),
    ],
)
def test_a_node_pulls_its_proxy_by_digest_or_by_a_tag_that_can_be_signed(
    image: str, pulled: str
) -> None:
    given = settings(TLS="proxy", NODE_ADDRESS="192.0.2.1", PULL=TAG, PROXY_IMAGE=image)

    assert given.proxy_pull == pulled
    assert given.born is bool(pulled)


def test_without_a_tag_to_follow_the_proxy_is_sent() -> None:
    assert settings(TLS="proxy", NODE_ADDRESS="192.0.2.1", PROXY_IMAGE=PINNED).proxy_pull == ""
