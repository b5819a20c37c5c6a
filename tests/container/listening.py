"""The other end of sd_notify: a socket that keeps what it heard."""

from __future__ import annotations

import socket
import time


class Listener:
    """A datagram socket at a path or, with a leading @, an abstract address."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[str] = []
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(f"\0{address[1:]}" if address.startswith("@") else address)

    def until(self, text: str, seconds: float = 30.0) -> int:
        """Hear messages until one contains this text; give back its place."""
        deadline = time.monotonic() + seconds
        while not self.heard or text not in self.heard[-1]:
            self._channel.settimeout(max(0.001, deadline - time.monotonic()))
            self.heard.append(self._channel.recv(8192).decode())
        return len(self.heard) - 1

    def during(self, seconds: float) -> list[str]:
        """Give what is heard within this time."""
        deadline = time.monotonic() + seconds
        found: list[str] = []
        while (left := deadline - time.monotonic()) > 0:
            self._channel.settimeout(left)
            try:
                found.append(self._channel.recv(8192).decode())
            except TimeoutError:
                break
        self.heard += found
        return found

    def fill(self) -> None:
        """Send to itself until nothing more fits."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.connect(self._channel.getsockname())
            try:
                while True:
                    sender.send(b"FULL")
            except BlockingIOError:
                pass

    def close(self) -> None:
        """Stop hearing."""
        self._channel.close()
