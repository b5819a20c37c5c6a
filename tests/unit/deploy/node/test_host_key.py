"""A node's host key is read without logging in."""

import socket

import pytest

from deploy.errors import DeployError
from deploy.node.host_key import fingerprint_of, read_host_key
from tests.unit.deploy.ssh_server import Node

pytestmark = pytest.mark.loopback


def test_a_host_key_can_be_read_without_logging_in(node: Node) -> None:
    assert read_host_key("127.0.0.1", node.port) == (node.host_line, node.fingerprint)
    assert not any(transport.is_authenticated() for transport in node.transports)


def test_reading_a_host_key_fails_where_no_ssh_server_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(DeployError, match=r"no SSH server answers at 127\.0\.0\.1: "):
        read_host_key("127.0.0.1", port)


def test_a_fingerprint_is_computed_from_a_line(node: Node) -> None:
    assert fingerprint_of(f"{node.host_line} root@web1") == node.fingerprint
