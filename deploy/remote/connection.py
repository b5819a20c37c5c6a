"""The one door to a node: Fabric with pinned host keys."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.remote.remote import FabricRemote

_CONNECT_SECONDS = 10
# What goes wrong is told once, by our own errors.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
_KEEPALIVE_SECONDS = 15
_SSH_PORT = 22


@dataclass(frozen=True, slots=True)
class Target:
    """Where a node is and how to log in; `port` None means what the SSH config says, or 22."""

    host: str
    port: int | None
    user: str
    identity: Path | None
    known_hosts: Path
    may_ask: bool = False


@contextmanager
def connect(target: Target, ask_passphrase: Callable[[str], str] | None) -> Iterator[FabricRemote]:
    """Log in to a node whose host key is pinned; `ask_passphrase` None means nobody to ask.

    Raises:
        DeployError: for a host key that is unknown or changed, for a node that refuses or is
            silent, for a login that fails.
    """
    connection = _open(target, ask_passphrase)
    try:
        connection.transport.set_keepalive(_KEEPALIVE_SECONDS)
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


def _open(target: Target, ask_passphrase: Callable[[str], str] | None) -> Connection:
    connection = _connection(target, "")
    try:
        return _login(connection, target)
    except paramiko.PasswordRequiredException as error:
        if ask_passphrase is None:
            raise DeployError(
                f"{target.identity or 'the SSH key'} has a passphrase and nobody is there to ask",
                "add it to the SSH agent (`ssh-add`), or run the command in a terminal",
            ) from error
    passphrase = ask_passphrase(f"passphrase of {target.identity or 'your SSH key'}")
    try:
        return _login(_connection(target, passphrase), target)
    except paramiko.PasswordRequiredException as error:
        raise _login_failed(target) from error


def _connection(target: Target, passphrase: str) -> Connection:
    options: dict[str, object] = {}
    if target.identity:
        options["key_filename"] = str(target.identity.expanduser())
    if passphrase:
        options["passphrase"] = passphrase
    connection = Connection(
        target.host,
        user=target.user,
        port=target.port,
        connect_timeout=_CONNECT_SECONDS,
        connect_kwargs=options or None,
    )
    # Fabric accepts any key and loads no known_hosts: both are replaced here.
    connection.client.set_missing_host_key_policy(_Refuse())
    connection.client.load_system_host_keys()
    if target.known_hosts.exists():
        connection.client.load_host_keys(str(target.known_hosts))
    return connection


def _login(connection: Connection, target: Target) -> Connection:
    where = _where(target)
    try:
        connection.open()
    except _UnknownHostKeyError as error:
        raise DeployError(
            f"the host key of {where} is not pinned: it shows {fingerprint(error.key)}",
            "compare with the fingerprint on the machine's console, then pin it with "
            f"`fab trust --fingerprint {fingerprint(error.key)}`",
        ) from error
    except paramiko.BadHostKeyException as error:
        raise DeployError(
            f"the host key of {where} has changed: pinned {fingerprint(error.expected_key)}, "
            f"shown {fingerprint(error.key)}",
            "somebody may be in between. If you reinstalled the machine, compare with its console, "
            f"remove the old line from {target.known_hosts} and run `fab trust`",
        ) from error
    except paramiko.PasswordRequiredException:
        raise
    except paramiko.AuthenticationException as error:
        raise _login_failed(target) from error
    except (paramiko.SSHException, OSError, EOFError, ValueError) as error:
        raise DeployError(
            f"{where} cannot be reached: {str(error) or type(error).__name__}",
            "is the machine up, its SSH port open, NODE_ADDRESS and NODE_PORT right?",
        ) from error
    return connection


def _login_failed(target: Target) -> DeployError:
    return DeployError(
        f"{_where(target)} does not let {target.user} in",
        "is your key among the machine's (SSH_KEYS), in the agent, or named by IDENTITY_FILE?",
    )


def fingerprint(key: paramiko.PKey) -> str:
    """Write a host key's fingerprint as OpenSSH does: SHA256:…."""
    return str(key.fingerprint)


def _where(target: Target) -> str:
    return f"{target.host}:{target.port}" if target.port not in {None, _SSH_PORT} else target.host


def real_host(target: Target) -> str:
    """Resolve a Host of the SSH config to the address behind it."""
    return str(_connection(target, "").host)
