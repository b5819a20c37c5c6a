"""Notify systemd of this service's state: sd_notify(3) without libsystemd."""

from __future__ import annotations

import _socket as socket  # what `socket` adds costs a megabyte in the supervisor
import time


class Notifier:
    """Send states to the socket that systemd named; without a socket, send nothing."""

    def __init__(self, address: str) -> None:
        # An address that starts with @ lies in the abstract namespace (sd_notify(3)).
        self._address = f"\0{address[1:]}" if address.startswith("@") else address

    def send(self, *states: str) -> bool:
        """Send lines such as READY=1; True when the datagram was taken.

        Never blocks and never raises: a notify socket that is full, gone or not there yet must
        not stop a service. The next message simply tries again.
        """
        if not self._address:
            return False
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        channel.settimeout(0)
        try:
            channel.sendto("\n".join(states).encode(), self._address)
        except OSError:
            return False
        finally:
            channel.close()
        return True


def reloading() -> tuple[str, str]:
    """Make the pair of states that opens a reload; READY=1 closes it."""
    return "RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}"
