"""A login happens only when the node shows its pinned host key."""

import io
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.known_hosts import pin
from deploy.node.login import Login, connect, read_host_key, start_login
from deploy.node.target import Target, resolve
from deploy.workstation.init import init
from tests.unit.deploy.site import serve, silence
from tests.unit.deploy.ssh_server import Node, new_identity

pytestmark = pytest.mark.loopback


def refusal(
    target: Target,
    passphrase: str | None = None,
    login: Login | None = None,
) -> DeployError:
    ask = None if passphrase is None else lambda _: passphrase
    with (
        pytest.raises(DeployError) as caught,
        connect(target, ask, login=login),
    ):
        pytest.fail("logged in")
    return caught.value


def succeed(*_: object) -> int:
    return 0


def assert_works(node: Node, target: Target, login: Login | None = None) -> None:
    node.scripts["undo"] = succeed
    with connect(target, None, login=login) as remote:
        assert remote.run(Command("undo", ("shop-www",))).code == 0


def test_a_node_that_shows_the_pinned_key_is_logged_in_to(node: Node, target: Target) -> None:
    assert_works(node, target)


def test_the_connection_ends_with_the_block(node: Node, target: Target) -> None:
    with connect(target, None):
        (transport,) = node.transports
        assert transport.is_active()

    transport.join(60)
    assert not transport.is_active()


def test_what_a_node_asks_beside_the_key_is_neither_shown_nor_answered(
    node: Node,
    target: Target,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("secret\n"))
    node.question = "\x1b]0;x\x07AUTHORITY_PASSWORD"

    assert "asks core for more than a key" in refusal(target).message

    assert node.answers == []
    assert capfd.readouterr() == ("", "")


def test_a_login_that_was_started_early_is_used(node: Node, target: Target) -> None:
    assert_works(node, target, start_login(target))
    assert len(node.transports) == 1

    assert_works(node, target)
    assert len(node.transports) == 2


def test_a_login_to_another_target_is_not_used(node: Node, target: Target) -> None:
    login = start_login(replace(target, user="ann"))

    assert "does not let ann in" in str(login.hops.exception())
    assert_works(node, target, login)


def test_an_early_login_that_failed_fails_where_it_is_used(node: Node, target: Target) -> None:
    target.known_hosts.unlink()

    assert "is not pinned" in refusal(target, login=start_login(target)).message


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
    assert "another machine may answer" in error.hint
    assert not any(transport.is_authenticated() for transport in node.transports)


@pytest.mark.parametrize("first", [True, False])
def test_either_of_two_pinned_keys_of_a_type_is_accepted(
    node: Node, target: Target, *, first: bool
) -> None:
    other = paramiko.ECDSAKey.generate()
    line = f"{other.get_name()} {other.get_base64()}"
    keys = (node.host_line, line) if first else (line, node.host_line)
    pin(target.known_hosts, target.host, node.port, keys)

    assert_works(node, target)


def test_a_host_key_is_read_without_logging_in(node: Node, target: Target) -> None:
    assert read_host_key(target) == (node.host_line, node.fingerprint)
    assert not any(transport.is_authenticated() for transport in node.transports)


def test_a_revoked_host_key_is_not_read_to_be_pinned(node: Node, target: Target) -> None:
    target.known_hosts.write_text(f"@revoked * {node.host_line}\n")

    with pytest.raises(DeployError, match="is revoked"):
        read_host_key(target)


def test_a_revoked_host_key_stops_before_the_login(node: Node, target: Target) -> None:
    with target.known_hosts.open("a") as file:
        file.write(f"@revoked * {node.host_line}\n")

    error = refusal(target)
    assert error.message == (
        f"the host key of 127.0.0.1:{node.port} is revoked (@revoked in known_hosts): "
        f"{node.fingerprint}"
    )
    assert not any(transport.is_authenticated() for transport in node.transports)


def test_a_key_that_the_user_revoked_is_refused_though_the_project_pins_it(
    node: Node, target: Target, home: Path
) -> None:
    (home / ".ssh/known_hosts").write_text(f"@revoked 127.0.0.1 {node.host_line}\n")

    assert "is revoked" in refusal(target).message


def test_lines_that_are_not_understood_do_not_stop_a_login(
    node: Node, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = f"@cert-authority * {node.host_line}\nweb1 ssh-rsa !!!\nweb1\n".encode() + b"\xff\xfe\n"
    target.known_hosts.write_bytes(lines + target.known_hosts.read_bytes())

    assert_works(node, target)
    warned = capsys.readouterr().err
    assert f"{target.known_hosts}:1: @cert-authority is not supported" in warned
    assert all(f"{target.known_hosts}:{line}: not a host key" in warned for line in (2, 3, 4))


def test_a_third_key_beside_two_pinned_ones_is_refused(node: Node, target: Target) -> None:
    others = [paramiko.ECDSAKey.generate() for _ in range(2)]
    lines = tuple(f"{key.get_name()} {key.get_base64()}" for key in others)
    pin(target.known_hosts, target.host, node.port, lines)

    assert "has changed" in refusal(target).message


def test_with_alone_no_other_key_logs_in(
    node: Node, target: Target, home: Path, tmp_path: Path
) -> None:
    usual = new_identity(home / ".ssh" / "id_ed25519")
    node.let_in(usual)
    other = new_identity(tmp_path / "other")
    assert_works(node, replace(target, identity=other))

    assert "does not let core in" in refusal(replace(target, identity=other, alone=True)).message
    node.let_in(other)
    assert_works(node, replace(target, identity=other, alone=True))


def test_a_key_in_the_users_own_known_hosts_is_accepted(
    node: Node, target: Target, home: Path
) -> None:
    target.known_hosts.rename(home / ".ssh/known_hosts")

    assert_works(node, target)


def test_the_projects_pin_wins_over_an_old_line_of_the_user(
    node: Node, target: Target, home: Path
) -> None:
    old = paramiko.RSAKey.generate(2048)
    for key in (old, paramiko.ECDSAKey.generate()):
        line = f"{key.get_name()} {key.get_base64()}"
        pin(home / ".ssh/known_hosts", "127.0.0.1", node.port, (line,))
        assert_works(node, target)


def test_a_login_with_a_key_that_the_node_does_not_know_is_refused(
    node: Node, target: Target
) -> None:
    node.users.clear()

    error = refusal(target)
    assert error.message == f"127.0.0.1:{node.port} does not let core in"
    assert "IDENTITY_FILE" in error.hint


def test_a_refused_key_of_any_type_is_a_refused_login(
    node: Node, target: Target, tmp_path: Path
) -> None:
    identity = tmp_path / "id_rsa"
    paramiko.RSAKey.generate(2048).write_private_key_file(str(identity))

    error = refusal(replace(target, identity=identity))
    assert error.message == f"127.0.0.1:{node.port} does not let core in"


def test_without_any_key_the_login_is_refused(node: Node, target: Target) -> None:
    assert "does not let core in" in refusal(replace(target, identity=None)).message


def test_the_keys_in_ssh_folder_are_tried(node: Node, target: Target, home: Path) -> None:
    node.let_in(new_identity(home / ".ssh/id_ed25519"))

    assert_works(node, replace(target, identity=None))


def test_an_identity_file_that_is_missing_is_named(target: Target, tmp_path: Path) -> None:
    error = refusal(replace(target, identity=tmp_path / "none"))

    assert error.message == f"IDENTITY_FILE is {tmp_path}/none, which is not a file"


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
        assert remote.run(Command("undo", ("shop-www",))).code == 0
    assert asked == [f"passphrase of {locked.identity}"]


def test_the_passphrase_is_asked_for_after_an_early_login_too(node: Node, locked: Target) -> None:
    node.scripts["undo"] = succeed
    start_login(locked)

    with connect(locked, lambda _: "open sesame") as remote:
        assert remote.run(Command("undo", ("shop-www",))).code == 0


def test_the_passphrase_is_asked_for_though_other_keys_were_refused(
    node: Node, locked: Target, home: Path
) -> None:
    new_identity(home / ".ssh/id_ed25519")

    with connect(locked, lambda _: "open sesame"):
        assert any(transport.is_authenticated() for transport in node.transports)


def test_a_wrong_passphrase_is_reported_without_showing_it(locked: Target) -> None:
    error = refusal(locked, "hunter2")

    assert error.message == f"the passphrase does not open {locked.identity}"
    assert "hunter2" not in f"{error.message}{error.hint}"


def test_a_passphrase_without_a_terminal_names_the_agent(locked: Target) -> None:
    error = refusal(locked)

    assert error.message == (
        f"{locked.identity} has a passphrase, and this is not a terminal to ask for it"
    )
    assert "ssh-add" in error.hint


def test_an_opened_key_that_the_node_does_not_know_is_refused(node: Node, locked: Target) -> None:
    node.users.clear()

    assert "does not let core in" in refusal(locked, "open sesame").message


def test_a_closed_port_is_reported(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = refusal(replace(target, port=port))
    assert f"127.0.0.1:{port} cannot be reached: " in error.message
    assert "NODE_ADDRESS and NODE_PORT" in error.hint


def test_a_silent_node_is_given_up(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.node.connection.CONNECT_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        error = refusal(replace(target, port=port))
    assert f"127.0.0.1:{port} cannot be reached: " in error.message


def test_a_node_that_is_silent_after_its_greeting_is_given_up(
    target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("deploy.node.connection.CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as beside:
        beside.submit(_greet, listener)
        port = listener.getsockname()[1]

        error = refusal(replace(target, port=port))
    assert f"127.0.0.1:{port} cannot be reached: " in error.message


def _greet(listener: socket.socket) -> None:
    with listener.accept()[0] as link:
        link.sendall(b"SSH-2.0-made\r\n")
        while link.recv(4096):
            pass


def test_a_server_that_speaks_no_ssh_is_reported(target: Target) -> None:
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


def test_address_port_and_key_of_a_host_come_from_the_ssh_config(node: Node, alias: Target) -> None:
    assert resolve(alias) == ("127.0.0.1", node.port)
    assert_works(node, alias)


def certify(identity: Path, authority: Path, *options: str) -> None:
    """Write a certificate for a key, beside it."""
    words = ["ssh-keygen", "-q", "-s", str(authority), "-I", "eve", "-n", "core", *options]
    subprocess.run([*words, str(identity.with_suffix(".pub"))], check=True, capture_output=True)


@pytest.mark.program
@pytest.mark.parametrize("kind", ["empty", "garbage", "other", "expired", "unknown"])
def test_a_certificate_that_is_not_taken_does_not_shut_its_key_out(
    node: Node, target: Target, tmp_path: Path, kind: str
) -> None:
    identity, authority = target.identity, new_identity(tmp_path / "authority")
    assert identity
    other = new_identity(tmp_path / "other")
    certify(other, authority)
    beside = identity.with_name(f"{identity.name}-cert.pub")
    if kind in {"expired", "unknown"}:
        certify(identity, authority, *(("-V", "-2d:-1d") if kind == "expired" else ()))
    else:
        texts = {"empty": "", "garbage": "ssh-ed25519-cert-v01@openssh.com AAAA\n\xff"}
        beside.write_text(texts.get(kind, (tmp_path / "other-cert.pub").read_text()))

    assert_works(node, target)
    tried = [one for one in node.tries if "-cert-v01@" in one]
    assert len(tried) == (kind in {"expired", "unknown"})


@pytest.mark.program
def test_a_certificate_is_tried_before_its_key(node: Node, target: Target, tmp_path: Path) -> None:
    assert target.identity
    certify(target.identity, new_identity(tmp_path / "authority"))
    node.takes_certificates = True

    assert_works(node, target)
    assert node.tries == ["ssh-ed25519-cert-v01@openssh.com"]


@pytest.fixture
def agent(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An agent that holds ten keys, which no node accepts."""
    place = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", place], stdout=subprocess.DEVNULL) as process:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(place))
        while not accepts_connections(place):
            assert process.poll() is None
        for number in range(10):
            hold(new_identity(tmp_path / f"held{number}"))
        yield place
        process.terminate()


def accepts_connections(place: Path) -> bool:
    """Tell whether a process listens on a Unix socket; its file is created before that."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(place)) == 0


def hold(identity: Path) -> None:
    """Give a key to the agent."""
    subprocess.run(["ssh-add", "-q", identity], check=True)


@pytest.mark.program
@pytest.mark.usefixtures("agent")
def test_the_named_key_is_tried_before_those_of_a_full_agent(node: Node, target: Target) -> None:
    node.most_tries = 6

    assert_works(node, target)
    assert len(node.tries) == 1


@pytest.mark.program
@pytest.mark.usefixtures("agent")
def test_a_key_that_the_ssh_config_names_is_tried_before_a_full_agent(
    node: Node, target: Target, home: Path
) -> None:
    node.most_tries = 6
    (home / ".ssh/config").write_text(f"IdentityFile {target.identity}\n")

    assert_works(node, replace(target, identity=None))


@pytest.mark.program
@pytest.mark.usefixtures("agent")
def test_identitiesonly_with_a_public_key_takes_that_key_of_the_agent(
    node: Node, target: Target, home: Path, tmp_path: Path
) -> None:
    node.most_tries = 2
    mine = new_identity(tmp_path / "mine")
    node.let_in(mine)
    hold(mine)
    mine.unlink()
    (home / ".ssh/config").write_text(f"IdentitiesOnly yes\nIdentityFile {mine}.pub\n")

    assert_works(node, replace(target, identity=None))
    assert len(node.tries) == 1
    node.tries.clear()
    assert_works(node, replace(target, identity=mine.with_suffix(".pub")))


@pytest.mark.program
@pytest.mark.usefixtures("agent")
def test_a_node_that_ends_a_login_of_many_keys_is_said(node: Node, target: Target) -> None:
    node.most_tries = 6

    error = refusal(replace(target, identity=None))
    assert error.message == (
        f"127.0.0.1:{node.port} ended the login of core before all your keys were tried"
    )
    assert "IDENTITY_FILE" in error.hint


@pytest.mark.program
@pytest.mark.usefixtures("agent")
def test_with_identityagent_none_no_agent_is_asked(node: Node, target: Target, home: Path) -> None:
    (home / ".ssh/config").write_text("IdentityAgent none\n")

    assert "does not let core in" in refusal(replace(target, identity=None)).message
    assert node.tries == []


@pytest.mark.program
@pytest.mark.usefixtures("agent")
def test_a_locked_key_that_the_agent_holds_wants_no_passphrase(
    node: Node, target: Target, tmp_path: Path
) -> None:
    identity = new_identity(tmp_path / "mine")
    node.let_in(identity)
    hold(identity)
    subprocess.run(
        ["ssh-keygen", "-q", "-p", "-N", "open sesame", "-f", identity],
        check=True,
        capture_output=True,
    )

    assert_works(node, replace(target, identity=identity))


def test_an_agent_that_does_not_answer_is_no_agent(
    node: Node, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "none"))

    assert_works(node, target)


def test_an_identity_file_with_a_dollar_in_its_name_is_taken_as_it_is(
    node: Node, target: Target, tmp_path: Path
) -> None:
    identity = new_identity(tmp_path / "${HOME}%h")
    node.let_in(identity)

    assert_works(node, replace(target, identity=identity))


@pytest.mark.program
def test_a_name_that_is_unknown_is_said_without_numbers(target: Target) -> None:
    error = refusal(replace(target, host="none.invalid", port=None))

    assert error.message.startswith("none.invalid cannot be reached: ")
    assert "[Errno" not in error.message


def test_a_closed_port_is_reported_without_numbers(target: Target) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    error = refusal(replace(target, port=port))
    assert error.message == f"127.0.0.1:{port} cannot be reached: Connection refused"


@pytest.mark.program
@pytest.mark.parametrize("name", ["a..b", f"{'x' * 70}.invalid"])
def test_a_name_that_no_dns_can_have_is_unknown_like_any_other(target: Target, name: str) -> None:
    error = refusal(replace(target, host=name, port=None))

    assert error.message.startswith(f"{name} cannot be reached: ")
    assert "codec" not in error.message


@pytest.mark.parametrize("way", ["at once", "reset"])
def test_a_node_that_closes_the_connection_says_that_sshd_does_so(target: Target, way: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as beside:
        beside.submit(_hang_up, listener, reset=way == "reset")
        port = listener.getsockname()[1]

        error = refusal(replace(target, port=port))
    assert error.message == (
        f"127.0.0.1:{port} cannot be reached: the connection was closed before the login"
    )
    assert "after several failed logins" in error.hint


def _hang_up(listener: socket.socket, *, reset: bool) -> None:
    with listener.accept()[0] as link:
        if reset:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_a_family_without_an_address_is_not_replaced_by_the_other(
    target: Target, home: Path
) -> None:
    (home / ".ssh/config").write_text("AddressFamily inet6\n")

    assert "127.0.0.1:" in (message := refusal(target).message)
    assert message.endswith(" cannot be reached: Address family for hostname not supported")


def test_the_node_is_reached_from_the_address_that_the_ssh_config_names(
    node: Node, target: Target, home: Path
) -> None:
    (home / ".ssh/config").write_text("BindAddress 127.0.0.7\n")

    with connect(target, None):
        (transport,) = node.transports
        assert transport.getpeername()[0] == "127.0.0.7"


@pytest.mark.program
@pytest.mark.parametrize("config", ["# \xff\n", "ForwardAgent ask\n", "Include ../more\n"])
def test_nothing_but_ssh_reads_the_ssh_config(node: Node, home: Path, config: str) -> None:
    init(home / "site", project="shop")
    (home / ".ssh/config").write_text(config, encoding="latin-1")
    (home / "more").write_text(f"Host node\n HostName 127.0.0.1\n Port {node.port}\n")
    host = "node" if "Include" in config else f"127.0.0.1:{node.port}"

    words = [str(Path(sys.executable).with_name("fab")), "-H", host, "status"]
    done = subprocess.run(words, cwd=home / "site", capture_output=True, text=True, check=False)
    assert f"error: the host key of {host}" in done.stderr.replace(f"node:{node.port}", "node")
