"""The one door to a node: Fabric with pinned host keys."""

import base64
import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

import paramiko
from fabric.connection import Connection
from paramiko.hostkeys import HostKeyEntry
from paramiko.pkey import UnknownKeyType

from deploy.errors import DeployError
from deploy.node.remote import FabricRemote

_CONNECT_SECONDS = 10
# What goes wrong is told once, by our own errors.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
_KEEPALIVE_SECONDS = 15
_SSH_PORT = 22
# Gone after three unanswered questions, or a minute with data that nobody takes (ms).
_SILENCE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


@dataclass(frozen=True, slots=True)
class Target:
    """Where a node is and how to log in; `port` None means what the SSH config says, or 22.

    `alone` lets `identity` log in and no other key, of the agent or of the user: that is a proof.
    """

    host: str
    port: int | None
    user: str
    identity: Path | None
    known_hosts: Path
    may_ask: bool = False
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Login:
    """A login that was started early, in a thread of its own; it is for one `connect`."""

    target: Target
    connection: Future[Connection]


def begin(target: Target) -> Login:
    """Start to log in; `connect` waits for the result, and raises what went wrong."""
    login = Login(target, Future())

    def run() -> None:
        try:
            login.connection.set_result(_enter(target, _CONNECT_SECONDS))
        except BaseException as error:  # noqa: BLE001 -- raised again by who asks for the result
            login.connection.set_exception(error)

    # A command that ends before it needs the node does not wait for one that is silent.
    Thread(target=run, daemon=True).start()
    return login


@contextmanager
def connect(
    target: Target,
    ask_passphrase: Callable[[str], str] | None,
    *,
    patience_seconds: float = _CONNECT_SECONDS,
    login: Login | None = None,
) -> Iterator[FabricRemote]:
    """Log in to a node whose host key is pinned; `ask_passphrase` None means nobody to ask.

    A `login` to the same target that was started before is used.

    Raises:
        DeployError: for a host key that is unknown or changed, for a node that refuses or is
            silent, for a login that fails.
    """
    early = login.connection if login and login.target == target else None
    connection = _open(target, ask_passphrase, patience_seconds, early)
    try:
        yield FabricRemote(connection)
    finally:
        connection.close()


class _UnknownHostKeyError(paramiko.SSHException):
    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__("unknown host key")
        self.key = key


class _Refuse(paramiko.MissingHostKeyPolicy):
    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002 -- paramiko's signature
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        raise _UnknownHostKeyError(key)


class _LoginRefusedError(DeployError):
    pass


class _AnotherPinnedError(DeployError):
    """The node shows a key that is pinned for it, though not the first of its kind."""

    def __init__(self, key: paramiko.PKey) -> None:
        super().__init__("another pinned host key")
        self.key = key


def _open(
    target: Target,
    ask_passphrase: Callable[[str], str] | None,
    patience_seconds: float,
    early: Future[Connection] | None,
) -> Connection:
    if target.identity and not target.identity.expanduser().is_file():
        raise DeployError(f"IDENTITY_FILE names {target.identity}, which is no file", "mend it")
    try:
        return early.result() if early else _enter(target, patience_seconds)
    except _LoginRefusedError:
        locked = next(filter(_is_locked, _identities(_connection(target))), None)
        if locked is None:
            raise
    if ask_passphrase is None:
        raise DeployError(
            f"{locked} has a passphrase and nobody is there to ask",
            "add it to the SSH agent (`ssh-add`), or run the command in a terminal",
        )
    key = _key(locked, ask_passphrase(f"passphrase of {locked}"))
    if key is None:
        raise DeployError(f"the passphrase does not open {locked}", "run the command again")
    return _enter(target, patience_seconds, key)


def _enter(target: Target, patience_seconds: float, key: paramiko.PKey | None = None) -> Connection:
    try:
        return _login(_connection(target, patience_seconds, key), target)
    except _AnotherPinnedError as found:
        # While a node changes its key it has two of a kind, and paramiko knows one of each.
        return _login(_connection(target, patience_seconds, key, found.key), target)


def _connection(
    target: Target,
    patience_seconds: float = _CONNECT_SECONDS,
    key: paramiko.PKey | None = None,
    host_key: paramiko.PKey | None = None,
) -> Connection:
    options: dict[str, object] = {
        "banner_timeout": patience_seconds,
        "transport_factory": _transport,
    }
    if target.alone:
        options |= {"allow_agent": False, "look_for_keys": False}
    if target.identity:
        options["key_filename"] = str(target.identity.expanduser())
    if key:
        options["pkey"] = key
    connection = Connection(
        target.host,
        user=target.user,
        port=target.port,
        connect_timeout=patience_seconds,
        connect_kwargs=options,
    )
    # An SSH config may name identities that this machine has not.
    named = connection.connect_kwargs.get("key_filename", [])
    if target.alone and target.identity:
        named = [str(target.identity.expanduser())]
    connection.connect_kwargs["key_filename"] = [name for name in named if Path(name).is_file()]
    # Fabric accepts any key and loads no known_hosts: both are replaced here. What the project
    # has pinned comes first: an old line in the user's own file does not count against it.
    connection.client.set_missing_host_key_policy(_Refuse())
    for known_hosts in (target.known_hosts, Path("~/.ssh/known_hosts").expanduser()):
        _load(connection.client, known_hosts)
    if host_key:
        name = _pin_name(connection)
        connection.client.get_host_keys().add(name, host_key.get_name(), host_key)
    return connection


def _transport(*words: Any, **options: Any) -> paramiko.Transport:
    """Prefer the ciphers that prove what they encrypt: they take a fifth less of the processor."""
    made = paramiko.Transport(*words, **options)
    chosen = made.get_security_options()
    chosen.ciphers = sorted(chosen.ciphers, key=lambda name: "gcm" not in name)
    return made


def _pin_name(connection: Connection) -> str:
    plain = connection.port == _SSH_PORT
    return str(connection.host) if plain else f"[{connection.host}]:{connection.port}"


def _pinned(known_hosts: Path, connection: Connection) -> Iterator[paramiko.PKey]:
    """Read every key that the project has pinned for a node, several of a kind as well."""
    name = _pin_name(connection)
    if not known_hosts.exists():
        return
    for line in known_hosts.read_text(encoding="utf-8").splitlines():
        if line.split(" ", 1)[0] == name and (entry := HostKeyEntry.from_line(line)):
            yield entry.key


def _load(client: paramiko.SSHClient, known_hosts: Path) -> None:
    if not known_hosts.exists():
        return
    try:
        client.load_host_keys(str(known_hosts))
    except (OSError, UnicodeDecodeError, paramiko.SSHException) as error:
        raise DeployError(
            f"{known_hosts} cannot be read as host keys: {error}",
            "mend it, or remove it and pin the node again with `fab trust`",
        ) from error


def _identities(connection: Connection) -> list[Path]:
    named = [Path(name) for name in connection.connect_kwargs["key_filename"]]
    usual = [Path(f"~/.ssh/id_{kind}").expanduser() for kind in ("ed25519", "ecdsa", "rsa")]
    return named or [path for path in usual if path.is_file()]


def _is_locked(identity: Path) -> bool:
    try:
        _key(identity, None)
    except TypeError:  # how a key says that it wants a passphrase
        return True
    return False


def _key(identity: Path, passphrase: str | None) -> paramiko.PKey | None:
    try:
        # Bytes, whatever the annotation says: cryptography takes no text.
        secret = passphrase.encode() if passphrase else None
        return paramiko.PKey.from_path(identity, secret)  # type: ignore[arg-type]
    except (ValueError, OSError, paramiko.SSHException, UnknownKeyType):
        return None


def _login(connection: Connection, target: Target) -> Connection:
    try:
        connection.open()
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        refusal = _refusal(error, connection, target)
        connection.client.close()
        raise refusal from error
    # At once: one that was begun may wait for an operator who looks for a password.
    connection.transport.set_keepalive(_KEEPALIVE_SECONDS)
    _tune(connection.transport.sock)
    return connection


def _tune(link: object) -> None:
    """Send what is small at once, and notice when the other end is gone: paramiko does neither."""
    if not isinstance(link, socket.socket):
        return
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SILENCE.items():
        if option := getattr(socket, name, None):
            link.setsockopt(socket.IPPROTO_TCP, option, value)


def _refusal(error: Exception, connection: Connection, target: Target) -> DeployError:
    where = _where(target)
    if isinstance(error, _UnknownHostKeyError):
        return DeployError(
            f"the host key of {where} is not pinned: it shows {fingerprint(error.key)}",
            "compare with the fingerprint on the machine's console, then pin it with "
            f"`fab trust --fingerprint {fingerprint(error.key)}`",
        )
    if isinstance(error, paramiko.BadHostKeyException):
        if error.key in _pinned(target.known_hosts, connection):
            return _AnotherPinnedError(error.key)
        return DeployError(
            f"the host key of {where} has changed: pinned {fingerprint(error.expected_key)}, "
            f"shown {fingerprint(error.key)}",
            "somebody may be in between. If you reinstalled the machine, compare with its console "
            f"and pin the new one with `fab trust --fingerprint {fingerprint(error.key)}`",
        )
    transport = connection.client.get_transport()
    # Behind the host key, whatever paramiko says last of its tries, it is the login that failed.
    # Before that, its patience may end and leave the transport active.
    met = transport and transport.initial_kex_done and transport.is_active()
    if isinstance(error, paramiko.AuthenticationException) or met:
        return _LoginRefusedError(
            f"{where} does not let {target.user} in",
            "is your key among the machine's (SSH_KEYS), in the agent, or named by IDENTITY_FILE?",
        )
    return DeployError(
        f"{where} cannot be reached: {str(error) or type(error).__name__}",
        "is the machine up, its SSH port open, NODE_ADDRESS and NODE_PORT right?",
    )


def fingerprint(key: paramiko.PKey) -> str:
    """Write a host key's fingerprint as OpenSSH does: SHA256:…."""
    return str(key.fingerprint)


def _where(target: Target) -> str:
    return f"{target.host}:{target.port}" if target.port not in {None, _SSH_PORT} else target.host


def real_host(target: Target) -> str:
    """Resolve a Host of the SSH config to the address behind it."""
    return str(_connection(target).host)


def real_port(target: Target) -> int:
    """Resolve the port that a Host of the SSH config names."""
    return int(_connection(target).port)


def fingerprint_of(line: str) -> str:
    """Write the fingerprint of a host key given as `ssh-ed25519 AAAA…`."""
    name, blob = line.split()[:2]
    return fingerprint(paramiko.PKey.from_type_string(name, base64.b64decode(blob)))
