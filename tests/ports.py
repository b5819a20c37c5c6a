"""Ports for servers of a test that are told on which to listen."""

import secrets
import socket

# Below the ephemeral ports of Linux: binding port 0 in another process never takes one of these.
_FIRST, _LAST = 20_000, 32_767


def free_ports(count: int) -> list[int]:
    """Choose different TCP ports on which nothing listens, at any IPv4 address of this machine."""
    found: list[int] = []
    while len(found) < count:
        port = _FIRST + secrets.randbelow(_LAST - _FIRST)
        if port not in found and _is_free(port):
            found.append(port)
    return found


def free_port() -> int:
    """Choose a TCP port on which nothing listens, at any IPv4 address of this machine."""
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return False
        return True
