"""Log in to a node: early in a thread, by a locked key, and why a login failed."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.node.connection import HostKeyError, QuestionError, accept, new_connection, route, tune
from deploy.node.fabric_remote import FabricRemote
from deploy.node.host_key import fingerprint_of, key_line
from deploy.node.known_hosts import KnownKeys
from deploy.node.private_key import first_locked, load_key
from deploy.node.target import SSH_PORT, Target


@dataclass(frozen=True, slots=True)
class Login:
    """A login that runs in a thread of its own, for one `connect` to use."""

    target: Target
    connection: Future[Connection]


def start_login(target: Target) -> Login:
    """Start to log in; `connect` waits for the connection and raises what failed."""
    login = Login(target, Future())

    def run() -> None:
        try:
            login.connection.set_result(_log_in(target))
        except BaseException as error:  # noqa: BLE001 -- raised again where the result is read
            login.connection.set_exception(error)

    # As a daemon: a command that ends before it needs the node does not wait for a silent one.
    Thread(target=run, daemon=True).start()
    return login


@contextmanager
def connect(
    target: Target,
    ask_passphrase: Callable[[str], str] | None,
    *,
    login: Login | None = None,
) -> Iterator[FabricRemote]:
    """Log in to a node whose host key is pinned; `ask_passphrase` None means no terminal.

    Use `login` where it was started for the same target.

    Raises:
        DeployError: when the host key is unknown or changed, the node refuses or does not
            answer, or the login fails.
    """
    early = login.connection if login and login.target == target else None
    connection = _open(target, ask_passphrase, early)
    try:
        yield FabricRemote(connection)
    finally:
        _close(connection)


def read_host_key(target: Target) -> tuple[str, str]:
    """Read a node's host key without logging in to it: `ssh-ed25519 AAAA…` and its fingerprint.

    Jump hosts are logged in to, if their keys are known.

    Raises:
        DeployError: when no SSH server answers there.
    """
    connection = new_connection(target)
    accept(connection, KnownKeys())
    try:
        _opened(connection)
    except _HostKeyRefusedError as error:
        if error.connection is connection:
            return key_line(error.key), error.key.fingerprint
        raise
    raise AssertionError("a connection that accepts no host key was opened")


class _LoginRefusedError(DeployError):
    """A host does not let the operator in; `keys` are the key files that were tried."""

    def __init__(self, connection: Connection, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.keys = tuple(map(Path, connection.connect_kwargs["key_filename"]))


class _HostKeyRefusedError(DeployError):
    """A host shows a key that is not accepted."""

    def __init__(self, connection: Connection, key: paramiko.PKey, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.connection = connection
        self.key = key


def _open(
    target: Target,
    ask_passphrase: Callable[[str], str] | None,
    early: Future[Connection] | None,
) -> Connection:
    if target.identity and not target.identity.expanduser().is_file():
        raise DeployError(
            f"IDENTITY_FILE is {target.identity}, which is not a file", "correct it in .env"
        )
    try:
        return early.result() if early else _log_in(target)
    except _LoginRefusedError as error:
        locked = first_locked(error.keys)
        if locked is None:
            raise
    return _log_in(target, _unlock(locked, ask_passphrase))


def _unlock(locked: Path, ask_passphrase: Callable[[str], str] | None) -> paramiko.PKey:
    if ask_passphrase is None:
        raise DeployError(
            f"{locked} has a passphrase, and this is not a terminal to ask for it",
            "add the key to the SSH agent (`ssh-add`), or run the command in a terminal",
        )
    key = load_key(locked, ask_passphrase(f"passphrase of {locked}"))
    if key is None:
        raise DeployError(f"the passphrase does not open {locked}", "run the command again")
    return key


def _log_in(target: Target, key: paramiko.PKey | None = None) -> Connection:
    return _opened(new_connection(target, key))


def _opened(connection: Connection) -> Connection:
    try:
        for one in reversed(route(connection)):
            _open_one(one, is_node=one is connection)
    except DeployError:
        _close(connection)
        raise
    # At once: an early login may wait while the operator types a password.
    tune(connection)
    return connection


def _open_one(connection: Connection, *, is_node: bool) -> None:
    try:
        connection.open()
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        raise _failure(error, connection, is_node=is_node) from error


def _close(connection: Connection) -> None:
    for one in route(connection):
        one.client.close()


def _failure(error: Exception, connection: Connection, *, is_node: bool) -> DeployError:
    name = f"{connection.original_host}:{connection.port}".removesuffix(f":{SSH_PORT}")
    if isinstance(error, HostKeyError):
        return _refused_key(error, connection, name, is_node=is_node)
    if isinstance(error, QuestionError):
        return DeployError(
            f"{name} asks {connection.user} for more than a key, which is not answered",
            "it may be compromised; otherwise set its sshd up to let the key in alone"
            if is_node
            else "if it is yours and asks for a code, reach the node through a ProxyCommand "
            "(`ssh -W %h:%p JUMPHOST`): then ssh asks you",
        )
    transport = connection.client.get_transport()
    # After the key exchange it is the login that failed, whatever paramiko's last error says.
    # Before it, a timeout may leave the transport active.
    met = transport and transport.initial_kex_done and transport.is_active()
    if isinstance(error, paramiko.AuthenticationException) or met:
        return _LoginRefusedError(
            connection,
            f"{name} does not let {connection.user} in",
            "is your key among the machine's (SSH_KEYS), in the agent, or named by IDENTITY_FILE?"
            if is_node
            else "it is a jump host of ~/.ssh/config: is its IdentityFile right, or your key in "
            "the agent?",
        )
    return DeployError(
        f"{name} cannot be reached: {str(error) or type(error).__name__}",
        "is the machine up, its SSH port open, NODE_ADDRESS and NODE_PORT right?"
        if is_node
        else "it is a jump host of ~/.ssh/config: is it up, and its HostName and Port right?",
    )


def _refused_key(
    error: HostKeyError, connection: Connection, name: str, *, is_node: bool
) -> DeployError:
    shown, known = error.key.fingerprint, error.known
    other = "" if is_node else f" -H {connection.user}@{connection.host}:{connection.port}"
    fix = f"`fab{other} trust --fingerprint {shown}`"
    if key_line(error.key) in known.revoked:
        message = f"the host key of {name} is revoked (@revoked in known_hosts): {shown}"
        hint = "whoever has that key can pose as the machine: give it another, pin that one"
    elif not known.keys:
        message = f"the host key of {name} is not pinned: it shows {shown}"
        hint = f"compare with the fingerprint on the machine's console, then pin it with {fix}"
    else:
        pinned = ", ".join(map(fingerprint_of, known.keys))
        message = f"the host key of {name} has changed: pinned {pinned}, shown {shown}"
        hint = (
            "another machine may answer at that address. If you reinstalled yours, compare with "
            f"its console and pin the new key with {fix}"
        )
    return _HostKeyRefusedError(connection, error.key, message, hint)
