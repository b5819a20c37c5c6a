"""The seal holds: what the other tests rely on."""

import os
import socket
import subprocess
import sys

import pytest

from tests.conftest import SealBroken


def test_a_sealed_test_starts_no_program() -> None:
    with pytest.raises(SealBroken, match="mark the test `program`"):
        subprocess.run([sys.executable, "-c", ""], check=False)
    with pytest.raises(SealBroken):
        os.system("true")  # noqa: S605


def test_a_sealed_test_connects_nowhere() -> None:
    with socket.socket() as plain, pytest.raises(SealBroken, match="mark the test `loopback`"):
        plain.connect(("127.0.0.1", 9))
    with pytest.raises(SealBroken):
        socket.create_connection(("example.org", 443))


def test_no_handler_of_exceptions_hides_a_broken_seal() -> None:
    assert not issubclass(SealBroken, Exception)


@pytest.mark.loopback
def test_a_loopback_test_reaches_this_machine_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    with socket.socket() as plain, pytest.raises(SealBroken):
        plain.connect(("192.0.2.1", 9))
    with pytest.raises(SealBroken):
        subprocess.run(["true"], check=False)


@pytest.mark.program
def test_a_marked_test_starts_programs() -> None:
    assert subprocess.run([sys.executable, "-c", ""], check=False).returncode == 0
