"""Fabric connections that accept known host keys only, at the node and at each jump host."""

import functools
import logging
import socket
from pathlib import Path
from typing import Any

import paramiko
from fabric.connection import Connection

from deploy.errors import DeployError
from deploy.node.host_key import key_line
from deploy.node.known_hosts import KnownKeys, known_keys
from deploy.node.target import Target
from deploy.workstation.programs import link

CONNECT_SECONDS = 10
# Our own errors say what failed; paramiko's log would say it twice.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
_KEEPALIVE_SECONDS = 15
# A dead link ends after three unanswered probes, or a minute with unacknowledged data (ms).
_SILENCE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


class HostKeyError(paramiko.SSHException):
    """A host shows a key that is not among its known ones."""

    def __init__(self, key: paramiko.PKey, known: KnownKeys) -> None:
        super().__init__("host key refused")
        self.key = key
        self.known = known


def new_connection(target: Target, key: paramiko.PKey | None = None) -> Connection:
    """Prepare a connection through its jump hosts, not opened yet; `key` logs in."""
    connection = Connection(
        target.host,
        user=target.user,
        port=target.port,
        connect_timeout=CONNECT_SECONDS,
        connect_kwargs=_options(target),
        gateway=False,  # not Fabric's, see _gateway
    )
    connection.gateway = _gateway(connection)
    if target.alone and target.identity:
        connection.connect_kwargs["key_filename"] = [str(target.identity.expanduser())]
    for one in route(connection):
        _prepare(one, key)
        files = (target.known_hosts, Path("~/.ssh/known_hosts").expanduser())
        accept(one, known_keys(files, str(one.host), int(one.port)))
    return connection


def route(connection: Connection) -> list[Connection]:
    """List the connections that lead to a node: the node's, then its jump hosts, the nearest last.

    A ProxyCommand is not among them.
    """
    found = [connection]
    while isinstance(found[-1].gateway, Connection):
        found.append(found[-1].gateway)
    return found


def accept(connection: Connection, known: KnownKeys) -> None:
    """Accept these host keys only.

    Fabric's own policy accepts any; paramiko's table of keys holds one of a type.
    """
    connection.client.set_missing_host_key_policy(_Accept(known))
    kinds = {key.split()[0] for key in known.keys}
    connection.connect_kwargs["transport_factory"] = functools.partial(_transport, kinds)


def tune(connection: Connection) -> None:
    """Send small packets at once and notice a dead link, which paramiko does not by itself."""
    connection.transport.set_keepalive(_KEEPALIVE_SECONDS)
    plain = connection.transport.sock
    if not isinstance(plain, socket.socket) or plain.family == socket.AF_UNIX:
        return
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SILENCE.items():
        if option := getattr(socket, name, None):
            plain.setsockopt(socket.IPPROTO_TCP, option, value)


def _gateway(connection: Connection, *beyond: str) -> Connection | str | None:
    """Make the jump hosts of ProxyJump, visited in their order, or give the ProxyCommand.

    Fabric visits several in the reverse order, takes `none` for a host, and ends no loop. `beyond` are the hosts
    that this one leads to.

    Raises:
        DeployError: when jump hosts lead to each other.
    """
    config = connection.ssh_config
    hops = config.get("proxyjump", "none").split(",")
    if hops[0].lower() == "none":
        command: str | None = config.get("proxycommand")
        return command
    last: Connection | None = None
    for hop in hops:
        made = Connection(
            hop.strip().removeprefix("ssh://"),
            connect_timeout=CONNECT_SECONDS,
            connect_kwargs={"banner_timeout": CONNECT_SECONDS},
            gateway=False,
        )
        if made.host == connection.host:
            return None  # `Host *` in the config: the jump host itself is reached directly
        if made.host in beyond:
            raise DeployError(
                f"the jump hosts {made.host} and {connection.host} lead to each other",
                "correct ProxyJump in ~/.ssh/config",
            )
        made.gateway = last or _gateway(made, *beyond, str(connection.host))
        last = made
    return last


def _prepare(connection: Connection, key: paramiko.PKey | None) -> None:
    if isinstance(connection.gateway, str):
        # Fabric's own way never notices that the command has ended.
        connection.open_gateway = functools.partial(link, connection.gateway)
    options = connection.connect_kwargs
    # An SSH config may name identities that this machine lacks.
    named = [name for name in options.get("key_filename", []) if Path(name).is_file()]
    options["key_filename"] = named
    if key:
        options["pkey"] = key


def _options(target: Target) -> dict[str, object]:
    options: dict[str, object] = {"banner_timeout": CONNECT_SECONDS}
    if target.alone:
        options |= {"allow_agent": False, "look_for_keys": False}
    if target.identity:
        options["key_filename"] = str(target.identity.expanduser())
    return options


def _transport(kinds: set[str], *words: Any, **options: Any) -> paramiko.Transport:
    """Prefer the known kinds of host key, and authenticated ciphers (GCM), which are quicker."""
    made = paramiko.Transport(*words, **options)
    security = made.get_security_options()
    security.ciphers = sorted(security.ciphers, key=lambda name: "gcm" not in name)
    security.key_types = sorted(
        security.key_types,
        key=lambda name: ("ssh-rsa" if name.startswith("rsa-") else name) not in kinds,
    )
    return made


class _Accept(paramiko.MissingHostKeyPolicy):
    """Compare each host's key; paramiko asks because its own table stays empty."""

    def __init__(self, known: KnownKeys) -> None:
        self._known = known

    def missing_host_key(
        self,
        client: paramiko.SSHClient,  # noqa: ARG002 -- paramiko's signature
        hostname: str,  # noqa: ARG002
        key: paramiko.PKey,
    ) -> None:
        if key_line(key) not in self._known.keys:
            raise HostKeyError(key, self._known)
