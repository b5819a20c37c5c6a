"""Commands run over one connection, and their streams arrive complete."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator

import paramiko
import pytest

from deploy.errors import DeployError
from deploy.node.command import Command
from deploy.node.fabric_remote import FabricRemote
from deploy.node.login import connect
from deploy.node.remote import Result
from deploy.node.state import probe
from deploy.node.target import Target
from tests.unit.deploy.examples import state
from tests.unit.deploy.ssh_server import CHUNK, Node

pytestmark = pytest.mark.loopback
BIG = 3_000_000
BINARY = bytes(range(256)) * 20_000
LOCK = Command("lock", ("shop-www", "{}", "5"))


@pytest.fixture
def remote(target: Target) -> Iterator[FabricRemote]:
    with connect(target, None) as one:
        yield one


def read(channel: paramiko.Channel) -> bytes:
    parts = bytearray()
    while part := channel.recv(CHUNK):
        parts += part
    return bytes(parts)


def echo(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
    channel.sendall(read(channel).hex().encode())
    return 0


def test_binary_content_arrives_unchanged(node: Node, remote: FabricRemote) -> None:
    node.scripts["seal"] = echo

    result = remote.run(Command("seal", ("a", "r", "c"), BINARY))
    assert bytes.fromhex(result.stdout) == BINARY
    assert (result.code, result.stderr) == (0, "")


def test_a_command_without_content_ends_its_input(node: Node, remote: FabricRemote) -> None:
    node.scripts["undo"] = echo

    assert remote.run(Command("undo", ("a",))) == Result(0, "", "")


def test_a_script_gets_its_arguments_and_runs_as_root(node: Node, remote: FabricRemote) -> None:
    heard = []

    def script(channel: paramiko.Channel, words: tuple[str, ...]) -> int:
        heard.append(words)
        return 0

    node.scripts["finish"] = script
    words = ("a'b", 'c "d" $e', "", "f\ng")

    remote.run(Command("finish", words))
    assert heard == [words]
    assert node.lines[0].startswith("sudo -n bash -c ")


def test_content_is_never_in_the_command_line(node: Node, remote: FabricRemote) -> None:
    node.scripts["seal"] = echo

    remote.run(Command("seal", ("a", "r", "c"), b"hunter2"))
    assert "hunter2" not in "".join(node.lines)


def test_both_outputs_are_read_at_once(node: Node, remote: FabricRemote) -> None:
    def flood(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall_stderr(b"e" * BIG)
        channel.sendall(b"o" * BIG)
        return 0

    node.scripts["undo"] = flood

    result = remote.run(Command("undo", ("a",)))
    assert (len(result.stdout), len(result.stderr)) == (BIG, BIG)


@pytest.mark.parametrize(
    ("stream", "how"),
    [("sendall", "run"), ("sendall_stderr", "run"), ("sendall", "hold"), ("sendall", "follow")],
)
def test_an_answer_without_an_end_is_refused_while_it_is_read(
    node: Node, remote: FabricRemote, stream: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flood(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        with contextlib.suppress(OSError, EOFError):
            while True:
                getattr(channel, stream)(b"x" * CHUNK)
        ended.set()
        return 0

    ended = threading.Event()
    monkeypatch.setattr("deploy.node.command._USUAL_BYTES", 1_000_000)
    node.scripts["lock"] = flood

    with pytest.raises(DeployError, match="sent more than 1000000 bytes as the answer to lock"):
        run_as(remote, how)
    assert ended.wait(60)


def run_as(remote: FabricRemote, how: str) -> Result:
    if how == "follow":
        return remote.follow(LOCK, lambda _: None)
    return remote.hold(LOCK) if how == "hold" else remote.run(LOCK)


def test_a_node_that_reads_nothing_and_prints_without_end_is_refused(
    node: Node, remote: FabricRemote, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flood(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        with contextlib.suppress(OSError, EOFError):
            while True:
                channel.sendall(b"x" * CHUNK)
        return 0

    monkeypatch.setattr("deploy.node.command._USUAL_BYTES", 1_000_000)
    node.scripts["seal"] = flood

    with pytest.raises(DeployError, match="as the answer to seal"):
        remote.send(Command("seal", ("a", "r", "c")), itertools.repeat(b"y" * CHUNK))


def test_output_is_read_while_content_is_sent(node: Node, remote: FabricRemote) -> None:
    def both(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(b"o" * BIG)
        channel.sendall(str(len(read(channel))).encode())
        return 0

    node.scripts["seal"] = both

    result = remote.run(Command("seal", ("a", "r", "c"), BINARY))
    assert result.stdout == "o" * BIG + str(len(BINARY))


def test_exit_code_and_output_are_returned(node: Node, remote: FabricRemote) -> None:
    def fail(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall("é\n".encode())
        channel.sendall_stderr(b"no room \xff\n")
        return 75

    node.scripts["undo"] = fail

    assert remote.run(Command("undo", ("a",))) == Result(75, "é\n", "no room \ufffd\n")


def test_a_command_that_does_not_read_stdin_does_not_block(
    node: Node, remote: FabricRemote
) -> None:
    node.scripts["seal"] = lambda *_: 3

    assert remote.run(Command("seal", ("a", "r", "c"), BINARY)).code == 3


def test_one_connection_serves_many_commands(node: Node, remote: FabricRemote) -> None:
    node.scripts["undo"] = echo

    for _ in range(5):
        remote.run(Command("undo", ("a",)))
    assert len(node.transports) == 1


def test_the_session_of_the_next_command_is_opened_ahead(node: Node, remote: FabricRemote) -> None:
    def wait(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        while node.sessions < 2:
            threading.Event().wait(0.01)
        return 0

    node.scripts["undo"] = wait

    assert remote.run(Command("undo", ("a",))).code == 0


@pytest.mark.parametrize("refused", [{1}, {2}, {3}, {1, 3}])
def test_a_session_that_cannot_be_opened_ahead_is_opened_when_it_is_needed(
    node: Node, target: Target, refused: set[int]
) -> None:
    node.scripts |= {"lock": hold, "undo": echo}
    node.refused_sessions = frozenset(refused)

    with connect(target, None) as remote:
        assert remote.hold(LOCK).stdout == "held\n"
        assert [remote.run(Command("undo", ("a",))).code for _ in range(3)] == [0, 0, 0]


def test_a_node_that_opens_no_session_is_reported(node: Node, target: Target) -> None:
    node.refused_sessions = frozenset(range(1, 9))

    with connect(target, None) as remote, pytest.raises(DeployError, match="was lost"):
        remote.run(Command("undo", ("a",)))


def test_a_connection_that_is_lost_during_a_command_is_reported(
    node: Node, remote: FabricRemote
) -> None:
    def lose(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(b"half")
        node.transports[0].close()
        return 0

    node.scripts["undo"] = lose

    with pytest.raises(DeployError, match=r"the connection to 127\.0\.0\.1 was lost") as caught:
        remote.run(Command("undo", ("a",)))
    assert "run the same command again" in caught.value.hint


def test_a_connection_that_is_lost_while_a_lock_is_waited_for_is_reported(
    node: Node, remote: FabricRemote
) -> None:
    def lose(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        node.transports[0].close()
        return 0

    node.scripts["lock"] = lose

    with pytest.raises(DeployError, match=r"the connection to 127\.0\.0\.1 was lost"):
        remote.hold(LOCK)


def test_a_connection_that_was_lost_before_is_reported(node: Node, remote: FabricRemote) -> None:
    node.transports[0].close()
    node.transports[0].join()

    with pytest.raises(DeployError, match="was lost"):
        remote.run(Command("undo", ("a",)))


def hold(channel: paramiko.Channel, words: tuple[str, ...]) -> int:
    channel.sendall(b"held\n")
    read(channel)
    return 0


def test_a_lock_is_held_while_other_commands_run(node: Node, remote: FabricRemote) -> None:
    node.scripts |= {"lock": hold, "undo": echo}

    assert remote.hold(LOCK) == Result(0, "held\n", "")
    assert remote.run(Command("undo", ("a",))).code == 0


def test_a_probe_is_one_command_and_its_credentials_go_on_stdin(
    node: Node, remote: FabricRemote
) -> None:
    heard = []

    def answer(channel: paramiko.Channel, words: tuple[str, ...]) -> int:
        heard.append((words, read(channel)))
        channel.sendall(state().model_dump_json().encode())
        return 0

    node.scripts["probe"] = answer

    found = probe(remote, "shop-www", paths=("/a", "/b"), credentials={"x": "päss", "y": None})
    assert found == state()
    assert heard == [(("shop-www", "/a", "/b"), b"x cMOkc3M=\ny -\n")]
    assert len(node.lines) == 1


def test_checked_returns_stdout(node: Node, remote: FabricRemote) -> None:
    node.scripts["undo"] = echo

    assert remote.checked(Command("undo", (), b"a"), "undoing") == b"a".hex()


@pytest.mark.parametrize(
    ("said", "shown"),
    [(b"no room\n", "no room"), (b"", "exit code 9"), (b"a" * 9999 + b"end", "aend")],
)
def test_checked_raises_with_the_node_and_the_end_of_stderr(
    node: Node, remote: FabricRemote, said: bytes, shown: str
) -> None:
    def fail(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall_stderr(said)
        return 9

    node.scripts["undo"] = fail

    with pytest.raises(DeployError, match=r"^undoing failed on 127\.0\.0\.1: ") as caught:
        remote.checked(Command("undo", ("a",)), "undoing", "look there")
    assert caught.value.message.endswith(shown)
    assert len(caught.value.message) < 5000
    assert caught.value.hint == "look there"


def test_a_failing_probe_says_why(node: Node, remote: FabricRemote) -> None:
    def fail(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall_stderr(b"jq: command not found\n")
        return 127

    node.scripts["probe"] = fail

    with pytest.raises(DeployError, match="jq: command not found") as caught:
        probe(remote, "shop-www", paths=(), credentials={})
    assert "podman, jq and systemd-creds" in caught.value.hint


@pytest.mark.parametrize("noise", [b"Welcome!\n", b"no end of line", b"x" * 200_000 + b"\n"])
def test_what_a_login_shell_prints_is_no_answer(
    node: Node, remote: FabricRemote, noise: bytes
) -> None:
    def hello(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        channel.sendall(b"hello\n")
        return 0

    node.before = noise
    node.scripts["undo"] = hello
    lines: list[str] = []

    assert remote.run(Command("undo")).stdout == "hello\n"
    assert remote.follow(Command("undo"), lines.append).stdout == "hello\n"
    assert lines == ["hello"]
    assert remote.hold(Command("undo")).stdout == "hello\n"


@pytest.mark.parametrize(
    ("said", "code", "why"),
    [
        (b"This account is currently not available.\n", 1, "This account is currently not ava"),
        (b"see you\n", 0, "the login shell ran something else (see you); ~/.bashrc"),
        (b"", 0, "ran something else (it printed nothing)"),
        (b"bash: line 1: `\x1f\x8b\x08'\n", 127, "(it took the command's input for its own)"),
        (b"sudo: a password is required\n", 1, "x failed on 127.0.0.1: sudo: a password is"),
    ],
)
def test_a_shell_that_lets_no_command_run_says_why(
    node: Node, remote: FabricRemote, said: bytes, code: int, why: str
) -> None:
    node.nothing_runs = said, code

    with pytest.raises(DeployError) as caught:
        remote.checked(Command("undo"), "x")
    assert why in caught.value.message


def test_a_node_that_is_silent_for_too_long_is_given_up(
    node: Node, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        node.answers_again.clear()
        node.answers_again.wait()
        return 0

    monkeypatch.setattr("deploy.node.connection.ALIVE_SECONDS", 0.2)
    node.scripts["undo"] = wait
    with connect(target, None) as remote, pytest.raises(DeployError, match="was lost"):
        remote.run(Command("undo"))
    node.answers_again.set()


def test_a_node_that_only_works_for_long_is_not_given_up(
    node: Node, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work(channel: paramiko.Channel, _: tuple[str, ...]) -> int:
        while node.asked.count("keepalive@openssh.com") < 10:
            threading.Event().wait(0.01)
        return 0

    monkeypatch.setattr("deploy.node.connection.ALIVE_SECONDS", 0.1)
    node.scripts["undo"] = work
    with connect(target, None) as remote:
        assert remote.run(Command("undo")).code == 0


def test_a_system_without_the_options_for_dead_connections_of_linux_logs_in(
    node: Node, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT"):
        monkeypatch.delattr(socket, name)
    node.scripts["undo"] = echo

    with connect(target, None) as remote:
        assert remote.run(Command("undo")).code == 0
