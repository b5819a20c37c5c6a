"""Listening sockets: those that systemd hands on, or one for each address of our own."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Mapping

from container.errors import ContainerError

_BACKLOG = 1024
_FIRST = 3  # sd_listen_fds(3)
_NO_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def listen(addresses: Iterable[str], port: int) -> list[socket.socket]:
    """Listen on each address; one of a family that the kernel lacks is left out."""
    found = [_listen(address, port) for address in addresses]
    listeners = [listener for listener in found if listener is not None]
    if not listeners:
        raise ContainerError(f"port {port}: no address to listen on", code=os.EX_UNAVAILABLE)
    return listeners


def inherited(environment: Mapping[str, str]) -> list[socket.socket]:
    """Take the sockets that are handed to this process; none when they are for another."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = int(environment.get("LISTEN_FDS", "0"))
    listeners = [socket.socket(fileno=_FIRST + number) for number in range(count)]
    for listener in listeners:
        os.set_inheritable(listener.fileno(), False)  # noqa: FBT003 - the only form there is
        listener.settimeout(0)
    return listeners


def _listen(address: str, port: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        listener = socket.create_server((address, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno in _NO_FAMILY:
            return None
        raise ContainerError(
            f"cannot listen on port {port} of {address}: {error.strerror}",
            code=os.EX_UNAVAILABLE,
        ) from error
    listener.settimeout(0)
    return listener
