"""Fabric connections that accept known host keys only, at the node and at each jump host."""

import functools
import logging
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Thread
from typing import Any

import fabric
import paramiko
from fabric.connection import Connection
from paramiko.common import cMSG_GLOBAL_REQUEST

from deploy.errors import DeployError
from deploy.node.host_key import key_line
from deploy.node.known_hosts import KnownKeys, known_keys
from deploy.node.private_key import Keys
from deploy.node.ssh_config import SshOptions, jump_options
from deploy.node.target import Target
from deploy.workstation.programs import link

CONNECT_SECONDS = 10
# Our own errors say what failed; paramiko's log would say it twice.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
# A host that is silent for so long is asked whether it is there; after four times that, given up.
ALIVE_SECONDS = 15.0
_PATIENCE = 4
# The kernel notices a dead link by itself, or a minute with unacknowledged data (ms).
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_SILENCE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 60_000}


class HostKeyError(paramiko.SSHException):
    """A host shows a key that is not among its known ones."""

    def __init__(self, key: paramiko.PKey, known: KnownKeys) -> None:
        super().__init__("host key refused")
        self.key = key
        self.known = known


@dataclass(frozen=True, slots=True)
class Hop:
    """A host on the way to a node, or the node: its connection, and the keys to log in with."""

    options: SshOptions
    connection: Connection
    keys: Keys

    def open(self) -> None:
        """Connect and log in."""
        self.connection.open()
        self.connection.transport.keep_asking()

    def close(self) -> None:
        """Close the connection, opened or not."""
        self.connection.client.close()

    def accept(self, known: KnownKeys) -> None:
        """Accept these host keys only.

        Fabric's own policy accepts any; paramiko's table of keys holds one of a type.
        """
        self.connection.client.set_missing_host_key_policy(_Accept(known))
        kinds = {key.split()[0] for key in known.keys}
        self.connection.connect_kwargs["transport_factory"] = functools.partial(_transport, kinds)


def new_hops(target: Target, key: paramiko.PKey | None = None) -> tuple[Hop, ...]:
    """Prepare the connections to a node in the order to open them: its jump hosts, then the node.

    `key` logs in.

    Raises:
        DeployError: when ssh refuses its configuration, or jump hosts lead to each other.
    """
    hops: list[Hop] = []
    for options in (*_jumps(target.options), target.options):
        keys = Keys(options, target.identity, key, target.alone)
        hop = Hop(options, _connection(options, hops[-1].connection if hops else None, keys), keys)
        hop.accept(known_keys((target.known_hosts, *options.known_hosts), options.known_as))
        hops.append(hop)
    return tuple(hops)


def _jumps(options: SshOptions, *beyond: SshOptions) -> Iterable[SshOptions]:
    """List the jump hosts that lead to a host, the first one first, each with those before it.

    `beyond` are the hosts that this one leads to.
    """
    jumps = [jump_options(one) for one in options.jumps]
    for jump in jumps:
        if jump.place == options.place:
            return ()  # `Host *` in the config: the jump host itself is reached directly
        if any(jump.place == one.place for one in beyond):
            raise DeployError(
                f"the jump hosts {jump.name} and {options.name} lead to each other",
                "correct ProxyJump in ~/.ssh/config",
            )
    return (*_jumps(jumps[0], options, *beyond), *jumps) if jumps else ()


def _connection(options: SshOptions, gateway: Connection | None, keys: Keys) -> Connection:
    seconds = options.connect_seconds or CONNECT_SECONDS
    made = Connection(
        options.host,
        user=options.user,
        port=options.port,
        config=fabric.Config(overrides={"load_ssh_configs": False}),
        gateway=gateway or "ours",
        connect_timeout=seconds,
        connect_kwargs={"banner_timeout": seconds, "auth_strategy": keys},
    )
    if not gateway:
        # Fabric's own ways never notice that a ProxyCommand has ended, and try one address only.
        made.open_gateway = functools.partial(_dial, options, seconds)
    return made


def _dial(options: SshOptions, seconds: float) -> socket.socket:
    if options.proxy_command:
        return link(options.proxy_command)
    plain = _connected(options, seconds)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _SILENCE.items():
        if option := getattr(socket, name, None):
            plain.setsockopt(socket.IPPROTO_TCP, option, value)
    return plain


def _connected(options: SshOptions, seconds: float) -> socket.socket:
    """Connect to the first address of the host that answers."""
    family = _FAMILIES.get(options.family, socket.AF_UNSPEC)
    # As bytes: Python itself refuses some names that the system only fails to find.
    host = os.fsencode(options.host)
    found = socket.getaddrinfo(host, options.port, family, socket.SOCK_STREAM)
    for last, (kind, *_, address) in enumerate(found, 1 - len(found)):
        plain = socket.socket(kind)
        try:
            plain.settimeout(seconds)
            if options.bind:
                plain.bind((options.bind, 0))
            plain.connect(address)
        except OSError:
            plain.close()
            if last == 0:
                raise
        else:
            return plain
    raise AssertionError("a name was found without an address")


def _transport(kinds: set[str], *words: Any, **options: Any) -> paramiko.Transport:
    """Prefer the known kinds of host key, and authenticated ciphers (GCM), which are quicker."""
    made = _Transport(*words, **options)
    security = made.get_security_options()
    security.ciphers = sorted(security.ciphers, key=lambda name: "gcm" not in name)
    security.key_types = sorted(
        security.key_types,
        key=lambda name: ("ssh-rsa" if name.startswith("rsa-") else name) not in kinds,
    )
    return made


class _Line:
    """The socket or channel that a transport uses; it knows when something last came."""

    def __init__(self, link: socket.socket | paramiko.Channel) -> None:
        self._link = link
        self.heard = time.monotonic()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def recv(self, size: int) -> bytes:
        data = self._link.recv(size)
        self.heard = time.monotonic()
        return data


class _Transport(paramiko.Transport):
    """Ends when the host is silent for too long, as ssh does with ServerAliveInterval."""

    def __init__(self, link: socket.socket | paramiko.Channel, **options: Any) -> None:
        self._line = _Line(link)
        super().__init__(self._line, **options)  # type: ignore[arg-type]

    def keep_asking(self) -> None:
        """Ask a silent host whether it is there; end the connection when it does not answer."""
        self.packetizer.set_keepalive(ALIVE_SECONDS, self._ask)
        Thread(target=self._watch, daemon=True).start()

    def _ask(self) -> None:
        """Send what has to be answered; unlike global_request, do not wait for the answer."""
        question = paramiko.Message()
        question.add_byte(cMSG_GLOBAL_REQUEST)
        question.add_string("keepalive@openssh.com")
        question.add_boolean(True)  # noqa: FBT003
        self._send_user_message(question)  # type: ignore[attr-defined]

    def _watch(self) -> None:
        """Close the line under a reader or a writer that is stuck."""
        while self.is_active():
            self.join(ALIVE_SECONDS)
            if time.monotonic() - self._line.heard > _PATIENCE * ALIVE_SECONDS:
                self._line.close()
                return


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
