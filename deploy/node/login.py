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
from deploy.node.connection import UnknownHostKeyError, new_connection, tune
from deploy.node.fabric_remote import FabricRemote
from deploy.node.host_key import key_line
from deploy.node.known_hosts import pinned
from deploy.node.private_key import first_locked, load_key
from deploy.node.target import Target


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
        connection.close()


class _LoginRefusedError(DeployError):
    pass


class _OtherPinnedKeyError(DeployError):
    """The node shows a key that is pinned for it, but not the first of its type."""

    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__("another pinned host key")
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
    except _LoginRefusedError:
        named = new_connection(target).connect_kwargs["key_filename"]
        locked = first_locked(map(Path, named))
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
    try:
        return _opened(new_connection(target, key), target)
    except _OtherPinnedKeyError as found:
        # While a node's host key changes, two of a type are pinned; paramiko keeps one of each.
        return _opened(new_connection(target, key, found.key), target)


def _opened(connection: Connection, target: Target) -> Connection:
    try:
        connection.open()
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        failure = _failure(error, connection, target)
        connection.client.close()
        raise failure from error
    # At once: an early login may wait while the operator types a password.
    tune(connection)
    return connection


def _failure(error: Exception, connection: Connection, target: Target) -> DeployError:
    if isinstance(error, UnknownHostKeyError):
        return DeployError(
            f"the host key of {target} is not pinned: it shows {error.key.fingerprint}",
            "compare with the fingerprint on the machine's console, then pin it with "
            f"`fab trust --fingerprint {error.key.fingerprint}`",
        )
    if isinstance(error, paramiko.BadHostKeyException):
        return _changed_key(error, connection, target)
    transport = connection.client.get_transport()
    # After the key exchange it is the login that failed, whatever paramiko's last error says.
    # Before it, a timeout may leave the transport active.
    met = transport and transport.initial_kex_done and transport.is_active()
    if isinstance(error, paramiko.AuthenticationException) or met:
        return _LoginRefusedError(
            f"{target} does not let {target.user} in",
            "is your key among the machine's (SSH_KEYS), in the agent, or named by IDENTITY_FILE?",
        )
    return DeployError(
        f"{target} cannot be reached: {str(error) or type(error).__name__}",
        "is the machine up, its SSH port open, NODE_ADDRESS and NODE_PORT right?",
    )


def _changed_key(
    error: paramiko.BadHostKeyException, connection: Connection, target: Target
) -> DeployError:
    host, port = str(connection.host), int(connection.port)
    if key_line(error.key) in pinned(target.known_hosts, host, port):
        return _OtherPinnedKeyError(error.key)
    shown = error.key.fingerprint
    return DeployError(
        f"the host key of {target} has changed: pinned {error.expected_key.fingerprint}, "
        f"shown {shown}",
        "another machine may answer at that address. If you reinstalled yours, compare with its "
        f"console and pin the new key with `fab trust --fingerprint {shown}`",
    )
