"""Check the health of a worker without heartbeats: HTTP(S), TCP or a command."""

from __future__ import annotations

import _socket as socket  # what `socket` adds costs a megabyte in the supervisor
import errno
import os
import select

from container.supervise.core.spawn import Launch, SpawnError, spawn
from container.supervise.core.tolerate import suppress

_OK = range(200, 400)
_LOOKED_AT = 64  # bytes of an answer
_UNDER_WAY = (errno.EINPROGRESS, errno.EALREADY)


class Probe:
    """A running check; `answer` is None until it is known, then True or False."""

    def __init__(self) -> None:
        self.answer: bool | None = None
        self.detail = ""
        self.descriptor = -1
        self.events = 0

    def advance(self) -> None:
        """Continue after the descriptor became ready."""

    def exited(self, _pid: int, _code: int) -> bool:
        """Handle a process that ended; True if it was this probe's."""
        return False

    def close(self) -> None:
        """End the check, answered or not."""

    def give_up(self, detail: str) -> None:
        """End the check as failed: no answer in time."""
        self._end(answer=False, detail=detail)

    def _end(self, *, answer: bool, detail: str) -> None:
        self.answer, self.detail = answer, detail
        self.close()


class CommandProbe(Probe):
    """A command that exits with 0 when the worker is healthy."""

    def __init__(self, command: tuple[str, ...], environment: dict[str, str]) -> None:
        super().__init__()
        self._pid = 0
        try:
            self._pid = spawn(Launch(command, environment))
        except SpawnError as error:
            self._end(answer=False, detail=str(error))

    def exited(self, pid: int, code: int) -> bool:
        """Read the answer from the command's exit code."""
        if pid != self._pid:
            return False
        self._pid = 0
        self._end(answer=code == 0, detail=f"the probe's exit code is {code}")
        return True

    def close(self) -> None:
        """Kill the command, if it still runs."""
        if self._pid:
            with suppress(ProcessLookupError):
                os.killpg(self._pid, 9)


class NetworkProbe(Probe):
    """A TCP connection, and over it a GET when the URL is http or https.

    A certificate is not verified here: the question is whether the worker next door answers;
    who it is, is proven from outside.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        host, _, port = authority.rpartition(":")
        self._host = host.strip("[]")
        self._path = slash + path or "/"
        self._received = b""
        self._step = self._connect
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)
        self._address = (self._host, int(port))
        self.advance()

    def advance(self) -> None:
        """Advance as far as the socket allows."""
        while self.answer is None:
            try:
                wanted = self._step()
            except OSError as error:
                wanted = _wants(error)
                if not wanted:
                    self._end(answer=False, detail=str(error))
            if wanted:
                self.descriptor, self.events = self._socket.fileno(), wanted
                return

    def close(self) -> None:
        """Close the connection."""
        self.descriptor = -1
        self._socket.close()

    def _connect(self) -> int:
        problem = self._socket.connect_ex(self._address)
        if problem in _UNDER_WAY:
            return select.POLLOUT
        if problem not in {0, errno.EISCONN}:
            raise OSError(problem, os.strerror(problem))
        if self._scheme == "tcp":
            self._end(answer=True, detail="connected")
        elif self._scheme == "https":
            self._wrap()
            self._step = self._handshake
        else:
            self._step = self._send
        return 0

    def _wrap(self) -> None:
        # Five megabytes of memory, only for https probes.
        import socket as full  # noqa: PLC0415
        import ssl  # noqa: PLC0415

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        plain = full.socket(fileno=self._socket.detach())
        plain.settimeout(0)  # a new object does not know that of its descriptor
        self._socket = context.wrap_socket(plain, do_handshake_on_connect=False)

    def _handshake(self) -> int:
        self._socket.do_handshake()  # type: ignore[attr-defined]  # an SSLSocket since _wrap
        self._step = self._send
        return 0

    def _send(self) -> int:
        request = f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nConnection: close\r\n\r\n"
        self._socket.send(request.encode())
        self._step = self._receive
        return 0

    def _receive(self) -> int:
        found = self._socket.recv(4096)
        self._received += found
        # Stop reading an endless line.
        if not found or b"\r\n" in self._received or len(self._received) >= _LOOKED_AT:
            words = self._received[:_LOOKED_AT].split()
            status = int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
            self._end(answer=status in _OK, detail=f"the status is {status}")
        return 0


def make_probe(wanted: str | tuple[str, ...], environment: dict[str, str]) -> Probe:
    """Start the check that a policy names."""
    if not isinstance(wanted, str):
        return CommandProbe(wanted, environment)
    try:
        return NetworkProbe(wanted)
    except OSError as error:  # no descriptor left, or no IPv6 here
        failed = Probe()
        failed.give_up(str(error))
        return failed


def _wants(error: OSError) -> int:
    """Return the event that a socket waits for; 0 for a real error."""
    if isinstance(error, BlockingIOError):
        return select.POLLIN
    kind = type(error).__name__  # ssl's classes, without importing it
    return {"SSLWantReadError": select.POLLIN, "SSLWantWriteError": select.POLLOUT}.get(kind, 0)
