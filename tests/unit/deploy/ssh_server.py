"""An SSH server in this process, whose scripts are Python functions."""

import contextlib
import os
import shlex
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_FAILED_RESOURCE_SHORTAGE,
    OPEN_SUCCEEDED,
    cMSG_CHANNEL_SUCCESS,
)
from paramiko.server import InteractiveQuery

from deploy.node.script import MARK, packed

# A script's behaviour: the channel and the script's arguments in, its exit code out.
Script = Callable[[paramiko.Channel, tuple[str, ...]], int]
CHUNK = 65536


def _set() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@dataclass
class Node:
    """A node as its clients meet it; the fields may be changed while it runs."""

    port: int
    host_key: paramiko.PKey
    users: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, Script] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    transports: list[paramiko.Transport] = field(default_factory=list)
    # What the clients' channels asked for, in order.
    asked: list[str] = field(default_factory=list)
    # How many sessions were opened, and which of them, counted from one, it refuses.
    sessions: int = 0
    refused_sessions: frozenset[int] = frozenset()
    # Whether it answers, or says nothing until it is set again.
    answers_again: threading.Event = field(default_factory=_set)
    # What a login shell prints before the answer.
    before: bytes = b""
    # What it says instead of running anything, and the exit code then.
    nothing_runs: tuple[bytes, int] | None = None
    # After so many refused keys it ends the login; 0 for never.
    most_tries: int = 0
    # The certificates that it takes, beside keys.
    takes_certificates: bool = False
    tries: list[str] = field(default_factory=list)
    # What it asks who logs in, beside the key.
    question: str = ""
    answers: list[str] = field(default_factory=list)
    # The names behind this host, as a jump host: each a port here.
    behind: dict[str, int] = field(default_factory=dict)

    @property
    def host_line(self) -> str:
        """The host key as known_hosts has it."""
        return f"{self.host_key.get_name()} {self.host_key.get_base64()}"

    @property
    def fingerprint(self) -> str:
        """The host key's fingerprint."""
        return str(self.host_key.fingerprint)

    def let_in(self, identity: Path, user: str = "core") -> None:
        """Accept the public half of an identity file for a user."""
        self.users[user] = identity.with_suffix(".pub").read_text().split()[1]


def new_identity(path: Path, passphrase: str = "") -> Path:
    """Write a key pair as ssh-keygen does."""
    key = Ed25519PrivateKey.generate()
    # One round instead of 16: a test's passphrase needs no protection.
    builder = PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1)
    lock = builder.build(passphrase.encode()) if passphrase else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, lock))
    path.chmod(0o600)
    path.with_suffix(".pub").write_bytes(
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    )
    return path


@contextlib.contextmanager
def running(scripts: dict[str, Script] | None = None) -> Iterator[Node]:
    """Run a node until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        node = Node(listener.getsockname()[1], paramiko.ECDSAKey.generate(), scripts=scripts or {})
        thread = threading.Thread(target=_accept, args=(listener, node))
        thread.start()
        try:
            yield node
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for transport in node.transports:
                transport.close()
                transport.join()


class _Transport(paramiko.Transport):
    """Starts a command once the client has heard that it was accepted, as sshd does."""

    def __init__(self, plain: socket.socket) -> None:
        super().__init__(plain)
        self.accepted: list[threading.Thread] = []

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        if data.asbytes()[:1] == cMSG_CHANNEL_SUCCESS:
            while self.accepted:
                self.accepted.pop().start()


class _Door(paramiko.ServerInterface):
    def __init__(self, node: Node, transport: "_Transport") -> None:
        self._node = node
        self._transport = transport
        self._key_taken = False

    def get_allowed_auths(self, username: str) -> str:
        return "keyboard-interactive" if self._key_taken else "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        blob = key.public_blob
        self._node.tries.append(blob.key_type if blob else key.get_base64())
        refused = blob and not self._node.takes_certificates
        if refused or self._node.users.get(username) != key.get_base64():
            if len(self._node.tries) == self._node.most_tries:
                self._transport.close()
            return AUTH_FAILED
        self._key_taken = bool(self._node.question)
        return AUTH_PARTIALLY_SUCCESSFUL if self._key_taken else AUTH_SUCCESSFUL

    def check_auth_interactive(self, username: str, submethods: str) -> InteractiveQuery:
        return InteractiveQuery("", self._node.question, self._node.question)

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        self._node.answers += responses
        return AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._node.sessions += 1
        refused = self._node.sessions in self._node.refused_sessions
        return OPEN_FAILED_RESOURCE_SHORTAGE if refused else OPEN_SUCCEEDED

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        if destination[0] not in self._node.behind:
            return OPEN_FAILED_CONNECT_FAILED
        link = socket.create_connection(("127.0.0.1", self._node.behind[destination[0]]))
        threading.Thread(target=_forward, args=(self._transport, link)).start()
        return OPEN_SUCCEEDED

    def check_channel_env_request(
        self, channel: paramiko.Channel, name: bytes, value: bytes
    ) -> bool:
        self._node.asked.append("env")
        return False

    def check_channel_forward_agent_request(self, channel: paramiko.Channel) -> bool:
        self._node.asked.append("agent")
        return True

    def check_port_forward_request(self, address: str, port: int) -> int:
        self._node.asked.append("port")
        return port

    def check_global_request(self, kind: str, msg: paramiko.Message) -> bool:
        self._node.asked.append(kind)
        self._node.answers_again.wait()
        return False

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._node.asked.append("exec")
        run = threading.Thread(target=_run, args=(self._node, channel, command.decode()))
        self._transport.accepted.append(run)
        return True


def _accept(listener: socket.socket, node: Node) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        transport = _Transport(plain)
        node.transports.append(transport)
        transport.add_server_key(node.host_key)
        try:
            transport.start_server(server=_Door(node, transport))
        except (paramiko.SSHException, OSError, EOFError):  # the client went away
            transport.close()


def _forward(transport: paramiko.Transport, link: socket.socket) -> None:
    channel = transport.accept()
    assert channel
    back = threading.Thread(target=_copy, args=(link.recv, channel.sendall, channel.close))
    back.start()
    _copy(channel.recv, link.sendall, lambda: link.shutdown(socket.SHUT_RDWR))
    back.join()
    link.close()


def _copy(
    receive: Callable[[int], bytes], send: Callable[[bytes], None], end: Callable[[], None]
) -> None:
    with contextlib.suppress(OSError, EOFError):
        while part := receive(CHUNK):
            send(part)
    with contextlib.suppress(OSError, EOFError):
        end()


def _run_program(node: Node, channel: paramiko.Channel, line: str) -> None:
    """Run a command line here, as a shell on a node does."""
    pipe = subprocess.PIPE
    words = ("bash", "-c", f"printf %s {shlex.quote(node.before.decode())}; {line}")
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe) as program:
        assert program.stdin
        assert program.stdout
        assert program.stderr
        source, output, errors = program.stdin, program.stdout, program.stderr
        copies = (
            (channel.recv, partial(os.write, source.fileno()), source.close),
            (partial(os.read, output.fileno()), channel.sendall, output.close),
            (partial(os.read, errors.fileno()), channel.sendall_stderr, errors.close),
        )
        threads = [threading.Thread(target=_copy, args=copy) for copy in copies]
        for thread in threads:
            thread.start()
        for thread in threads[1:]:
            thread.join()
    channel.send_exit_status(program.returncode)
    channel.close()
    threads[0].join()


def _run(node: Node, channel: paramiko.Channel, line: str) -> None:
    node.lines.append(line)
    if line.startswith(f"echo {MARK}; "):
        _run_program(node, channel, line)
        return
    # sudo -n bash -c TEXT SCRIPT ARGUMENT…; the script itself comes first on stdin.
    _, _, _, _, _, script, *arguments = shlex.split(line)
    if node.nothing_runs:
        said, code = node.nothing_runs
        channel.sendall(said)
        channel.send_exit_status(code)
        channel.close()
        return
    channel.sendall(node.before)
    assert channel.makefile("rb").read(len(packed(script))) == packed(script)
    channel.sendall(f"{MARK}\n".encode())
    with contextlib.suppress(OSError, EOFError):  # the client may be gone
        channel.send_exit_status(node.scripts[script](channel, tuple(arguments)))
    with contextlib.suppress(OSError, EOFError):
        channel.close()
