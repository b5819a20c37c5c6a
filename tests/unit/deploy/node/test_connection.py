"""A node is logged in to only when it shows the key that was pinned."""

import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from deploy.errors import DeployError
from deploy.node.command import undo
from deploy.node.connection import Login, Target, begin, connect, real_host, real_port
from deploy.node.host_key import shown_key
from deploy.node.known_hosts import pin
from tests.unit.deploy.site import serve, silence
from tests.unit.deploy.ssh_server import Node, new_identity

pytestmark = pytest.mark.loopback


def refusal(
    target: Target,
    passphrase: str | None = None,
    seconds: float = 10,
    login: Login | None = None,
) -> DeployError:
    ask = None if passphrase is None else lambda _: passphrase
    with (
        pytest.raises(DeployError) as caught,
        connect(target, ask, patience_seconds=seconds, login=login),
    ):
        raise AssertionError("logged in")
    return caught.value


def succeed(*_: object) -> int:
    return 0


def assert_works(node: Node, target: Target, login: Login | None = None) -> None:
    node.scripts["undo"] = succeed
    with connect(target, None, login=login) as remote:
        assert remote.run(undo("shop-www")).code == 0


def test_a_node_that_shows_the_pinned_key_is_logged_in_to(node: Node, target: Target) -> None:
    assert_works(node, target)


def test_the_connection_ends_with_the_block(node: Node, target: Target) -> None:
    with connect(target, None):
        (transport,) = node.transports
        assert transport.is_active()

    transport.join(5)
    assert not transport.is_active()


def test_a_login_that_was_started_early_is_used(node: Node, target: Target) -> None:
    assert_works(node, target, begin(target))
    assert len(node.transports) == 1

    assert_works(node, target)
    assert len(node.transports) == 2


def test_a_login_to_another_target_is_not_used(node: Node, target: Target) -> None:
    login = begin(replace(target, user="ann"))

    assert "does not let ann in" in str(login.connection.exception())
    assert_works(node, target, login)


def test_an_early_login_that_failed_fails_where_it_is_used(node: Node, target: Target) -> None:
    target.known_hosts.unlink()

    assert "is not pinned" in refusal(target, login=begin(target)).message


def test_an_unknown_host_key_stops_before_the_login(node: Node, target: Target) -> None:
    target.known_hosts.unlink()

    error = refusal(target)
    assert error.message == (
        f"the host key of 127.0.0.1:{node.port} is not pinned: it shows {node.fingerprint}"
    )
    assert f"`fab trust --fingerprint {node.fingerprint}`" in error.hint
    assert not any(transport.is_authenticated() for transport in node.transports)
    assert not target.known_hosts.exists(), "nothing is trusted on first use"


def test_a_key_pinned_for_another_port_is_unknown(node: Node, target: Target) -> None:
    pin(target.known_hosts, "127.0.0.1", node.port, ())
    pin(target.known_hosts, "127.0.0.1", None, (node.host_line,))

    assert "is not pinned" in refusal(target).message


@pytest.mark.parametrize("other", [paramiko.ECDSAKey.generate(), paramiko.RSAKey.generate(2048)])
def test_a_changed_host_key_stops_before_the_login(
    node: Node, target: Target, other: paramiko.PKey
) -> None:
    line = f"{other.get_name()} {other.get_base64()}"
    pin(target.known_hosts, "127.0.0.1", node.port, (line,))

    error = refusal(target)
    assert error.message == (
        f"the host key of 127.0.0.1:{node.port} has changed: "
        f"pinned {other.fingerprint}, shown {node.fingerprint}"
    )
    assert "somebody may be in between" in error.hint
    assert not any(transport.is_authenticated() for transport in node.transports)


@pytest.mark.parametrize("first", [True, False])
def test_either_of_two_pinned_keys_of_a_kind_is_taken(
    node: Node, target: Target, *, first: bool
) -> None:
    other = paramiko.ECDSAKey.generate()
    line = f"{other.get_name()} {other.get_base64()}"
    keys = (node.host_line, line) if first else (line, node.host_line)
    pin(target.known_hosts, target.host, node.port, keys)

    assert_works(node, target)


def test_of_two_pinned_keys_neither_lets_a_third_in(node: Node, target: Target) -> None:
    others = [paramiko.ECDSAKey.generate() for _ in range(2)]
    lines = tuple(f"{key.get_name()} {key.get_base64()}" for key in others)
    pin(target.known_hosts, target.host, node.port, lines)

    assert "has changed" in refusal(target).message


def test_alone_an_identity_has_to_log_in_by_itself(
    node: Node, target: Target, home: Path, tmp_path: Path
) -> None:
    usual = new_identity(home / ".ssh" / "id_ed25519")
    node.let_in(usual)
    other = new_identity(tmp_path / "other")
    assert_works(node, replace(target, identity=other))

    assert "does not let core in" in refusal(replace(target, identity=other, alone=True)).message
    node.let_in(other)
    assert_works(node, replace(target, identity=other, alone=True))


def test_a_key_in_the_users_own_known_hosts_counts(node: Node, target: Target, home: Path) -> None:
    target.known_hosts.rename(home / ".ssh/known_hosts")

    assert_works(node, target)


def test_what_the_project_has_pinned_wins_over_the_users_old_line(
    node: Node, target: Target, home: Path
) -> None:
    old = paramiko.RSAKey.generate(2048)
    for key in (old, paramiko.ECDSAKey.generate()):
        line = f"{key.get_name()} {key.get_base64()}"
        pin(home / ".ssh/known_hosts", "127.0.0.1", node.port, (line,))
        assert_works(node, target)


def test_a_node_that_does_not_know_the_key_is_told_apart(node: Node, target: Target) -> None:
    node.users.clear()

    error = refusal(target)
    assert error.message == f"127.0.0.1:{node.port} does not let core in"
    assert "IDENTITY_FILE" in error.hint


def test_a_refused_key_of_any_kind_is_a_refused_login(
    node: Node, target: Target, tmp_path: Path
) -> None:
    identity = tmp_path / "id_rsa"
    paramiko.RSAKey.generate(2048).write_private_key_file(str(identity))

    error = refusal(replace(target, identity=identity))
    assert error.message == f"127.0.0.1:{node.port} does not let core in"


def test_without_any_key_the_login_is_refused(node: Node, target: Target) -> None:
    assert "does not let core in" in refusal(replace(target, identity=None)).message


def test_a_usual_key_of_the_user_is_tried(node: Node, target: Target, home: Path) -> None:
    node.let_in(new_identity(home / ".ssh/id_ed25519"))

    assert_works(node, replace(target, identity=None))


def test_an_identity_file_that_is_missing_is_named(target: Target, tmp_path: Path) -> None:
    error = refusal(replace(target, identity=tmp_path / "none"))

    assert error.message == f"IDENTITY_FILE names {tmp_path}/none, which is no file"


@pytest.fixture
def locked(node: Node, target: Target, tmp_path: Path) -> Target:
    identity = new_identity(tmp_path / "id_locked", "open sesame")
    node.let_in(identity)
    return replace(target, identity=identity)


def test_the_passphrase_of_an_identity_is_asked_for_by_its_name(node: Node, locked: Target) -> None:
    asked = []

    def ask(question: str) -> str:
        asked.append(question)
        return "open sesame"

    node.scripts["undo"] = succeed
    with connect(locked, ask) as remote:
        assert remote.run(undo("shop-www")).code == 0
    assert asked == [f"passphrase of {locked.identity}"]


def test_the_passphrase_is_asked_for_by_who_takes_up_a_login(node: Node, locked: Target) -> None:
    node.scripts["undo"] = succeed
    begin(locked)

    with connect(locked, lambda _: "open sesame") as remote:
        assert remote.run(undo("shop-www")).code == 0


def test_the_passphrase_is_asked_for_though_other_keys_were_refused(
    node: Node, locked: Target, home: Path
) -> None:
    new_identity(home / ".ssh/id_ed25519")

    with connect(locked, lambda _: "open sesame"):
        assert any(transport.is_authenticated() for transport in node.transports)


def test_a_wrong_passphrase_is_said_without_showing_it(locked: Target) -> None:
    error = refusal(locked, "hunter2")

    assert error.message == f"the passphrase does not open {locked.identity}"
    assert "hunter2" not in f"{error.message}{error.hint}"


def test_a_passphrase_with_nobody_to_ask_names_the_agent(locked: Target) -> None:
    error = refusal(locked)

    assert error.message == f"{locked.identity} has a passphrase and nobody is there to ask"
    assert "ssh-add" in error.hint


def test_an_opened_key_that_the_node_does_not_know_is_refused(node: Node, locked: Target) -> None:
    node.users.clear()

    assert "does not let core in" in refusal(locked, "open sesame").message


def test_a_node_that_refuses_says_so(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = refusal(replace(target, port=port))
    assert f"127.0.0.1:{port} cannot be reached: " in error.message
    assert "NODE_ADDRESS and NODE_PORT" in error.hint


def test_a_node_that_is_silent_is_given_up(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        error = refusal(replace(target, port=port), seconds=0.3)
    assert f"127.0.0.1:{port} cannot be reached: " in error.message


def test_a_node_that_is_silent_after_its_greeting_is_given_up(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as beside:
        beside.submit(_greet, listener)
        port = listener.getsockname()[1]

        error = refusal(replace(target, port=port), seconds=1)
    assert f"127.0.0.1:{port} cannot be reached: " in error.message


def _greet(listener: socket.socket) -> None:
    with listener.accept()[0] as link:
        link.sendall(b"SSH-2.0-made\r\n")
        while link.recv(4096):
            pass


def test_a_node_that_speaks_something_else_is_told(target: Target) -> None:
    with serve(silence) as site:
        error = refusal(replace(target, port=site.endpoint.port))
    assert error.message.startswith(f"127.0.0.1:{site.endpoint.port} cannot be reached: ")


@pytest.fixture
def alias(node: Node, target: Target, home: Path) -> Target:
    (home / ".ssh/config").write_text(
        "Host web1\n"
        " HostName 127.0.0.1\n"
        f" Port {node.port}\n"
        f" IdentityFile {target.identity}\n"
        " IdentityFile ~/.ssh/id_of_another_machine\n"
    )
    return replace(target, host="web1", port=None, identity=None)


def test_a_host_of_the_ssh_config_brings_address_port_and_key(node: Node, alias: Target) -> None:
    assert (real_host(alias), real_port(alias)) == ("127.0.0.1", node.port)
    assert_works(node, alias)


def test_a_host_that_the_ssh_config_does_not_name_is_itself(target: Target, home: Path) -> None:
    plain = replace(target, host="web2.example.org", port=None)

    assert (real_host(plain), real_port(plain)) == ("web2.example.org", 22)


def test_the_key_that_a_node_shows_can_be_read_without_logging_in(node: Node) -> None:
    assert shown_key("127.0.0.1", node.port) == (node.host_line, node.fingerprint)
    assert not any(transport.is_authenticated() for transport in node.transports)


def test_where_no_ssh_server_answers_there_is_no_key() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(DeployError, match=r"no SSH server answers at 127\.0\.0\.1: "):
        shown_key("127.0.0.1", port)
