"""A wire between a workstation and a node, cut when so many bytes have gone to the node."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_BLOCK = 16384


@dataclass(slots=True)
class Wire:
    """Leads from a port of this machine to the node's SSH; `carried` counts bytes to the node."""

    address: str
    limit: int
    carried: int = 0
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    ends: list[socket.socket] = field(default_factory=list)
    carriers: list[threading.Thread] = field(default_factory=list)

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self) -> None:
        """Take connections until the wire is cut."""
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                far = socket.create_connection((self.address, 22))
                self.ends += [near, far]
                for one, other, counts in ((near, far, True), (far, near, False)):
                    carrier = threading.Thread(target=self._carry, args=(one, other, counts))
                    carrier.start()
                    self.carriers.append(carrier)

    def _carry(self, one: socket.socket, other: socket.socket, counts: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while block := one.recv(_BLOCK):
                left = self.limit - self.carried
                other.sendall(block[:left] if counts else block)
                self.carried += len(block) * counts
                if self.carried >= self.limit:
                    self.cut()
                    return
            other.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        """End every connection, and take no other."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def wire(address: str, limit: int = 1 << 40) -> Iterator[Wire]:
    """Have such a wire for a block."""
    made = Wire(address, limit)
    thread = threading.Thread(target=made.serve)
    thread.start()
    try:
        yield made
    finally:
        made.cut()
        thread.join()
        for carrier in made.carriers:
            carrier.join()
        for end in made.ends:
            end.close()
