"""The Unix socket that answers with the supervisor's state, for its own user only."""

from __future__ import annotations

import _socket as socket  # what `socket` adds costs a megabyte in the supervisor
import os
from collections.abc import Callable

from container.supervise.core.tolerate import suppress

_PATIENCE_SECONDS = 2.0
_CLIENTS = 8
_KIND, _SOCKET = 0o170000, 0o140000  # inode(7); `stat` is not loaded here


class Control:
    """Answer each client once: the state, or metrics for an HTTP request."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._clients: dict[int, tuple[socket.socket, float]] = {}
        self._listener: socket.socket | None = None

    def open(self) -> str:
        """Listen; return the error, or an empty text."""
        if not self._path:
            return ""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        listener.settimeout(0)
        mask = os.umask(0o177)
        try:
            # Only a socket of an earlier run is removed, never another kind of file.
            if _is_socket(self._path):
                os.unlink(self._path)  # noqa: PTH108 - pathlib is not loaded here
            listener.bind(self._path)
            listener.listen(_CLIENTS)
        except OSError as error:
            listener.close()
            return f"no status socket at {self._path}: {error}"
        finally:
            os.umask(mask)
        self._listener = listener
        return ""

    def descriptors(self) -> list[int]:
        """List the descriptors to wait for."""
        listener = [self._listener.fileno()] if self._listener else []
        return listener + list(self._clients)

    def advance(self, descriptor: int, now: float, answer: Callable[[bytes], str]) -> None:
        """Handle a descriptor that became ready."""
        if self._listener is not None and descriptor == self._listener.fileno():
            with suppress(OSError):
                # What socket.accept() calls; its type stub leaves it out.
                descriptor = self._listener._accept()[0]  # type: ignore[attr-defined]  # noqa: SLF001
                client = socket.socket(fileno=descriptor)
                client.settimeout(0)
                self._clients[client.fileno()] = (client, now + _PATIENCE_SECONDS)
        elif descriptor in self._clients:
            client = self._clients[descriptor][0]
            with suppress(OSError):
                client.send(answer(client.recv(4096)).encode())
            self._drop(descriptor)

    def due(self) -> float:
        """Return when the next silent client times out."""
        return min((until for _, until in self._clients.values()), default=float("inf"))

    def tick(self, now: float) -> None:
        """Drop silent clients, and the oldest when there are too many."""
        for descriptor, (_, until) in list(self._clients.items()):
            if now >= until or len(self._clients) > _CLIENTS:
                self._drop(descriptor)

    def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._listener is not None:
            self._listener.close()
            with suppress(OSError):
                os.unlink(self._path)  # noqa: PTH108

    def _drop(self, descriptor: int) -> None:
        client, _ = self._clients.pop(descriptor)
        client.close()


def _is_socket(path: str) -> bool:
    with suppress(OSError):
        return os.lstat(path).st_mode & _KIND == _SOCKET
    return False
