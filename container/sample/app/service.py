"""The service: accept, answer in threads, and heed SIGTERM, SIGHUP and systemd's watchdog."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import ssl
import sys
import threading
import time

from container.entrypoint.key import install_key, server_context
from container.errors import ContainerError
from container.heartbeat import Heartbeat
from container.notify import Notifier, reloading
from container.sample.app.connections import Connections, Phase
from container.sample.app.fault import Faults
from container.sample.app.handlers import Handler, PageHandler, RedirectHandler
from container.sample.app.listeners import inherited, listen
from container.sample.app.settings import Settings

_DRAIN_SECONDS = 5.0
# A client that keeps its connection may be about to ask: its next answer says that it closes.
_LAST_REQUEST_SECONDS = 2.0
_TICK_SECONDS = 1.0


class Sample:
    """One run of the sample; `state` is starting, ready or stopping."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.state = "starting"
        self.started = time.monotonic()
        self.connections = Connections()
        self._notifier = Notifier(settings.notify_socket)
        self._context = None if settings.port else self._read_certificate()
        self._selector = selectors.DefaultSelector()
        self._signals = _signal_channel()
        self._watchdog_due = 0.0
        self._heart = Heartbeat(os.environ)
        self._faults = Faults("web", os.environ)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT; the exit code is 0 when every answer was sent."""
        self._selector.register(self._signals, selectors.EVENT_READ)
        self._open()
        self.state = "ready"
        self._heart.beat()
        port = self.settings.port or self.settings.https_port
        self._notifier.send("READY=1", f"STATUS=serving on port {port}")
        _say(f"{self.settings.app} {self.settings.version} serves on {port}")
        while self.state == "ready":
            self._turn()
        return self._drain()

    def _open(self) -> None:
        """Take the sockets handed to us, TLS on the first; else listen on our own ports."""
        settings = self.settings
        if given := inherited(os.environ):
            self._attend(given[:1], PageHandler)
            self._attend(given[1:], RedirectHandler)
            return
        self._attend(listen(settings.addresses, settings.port or settings.https_port), PageHandler)
        if settings.http_port is not None:
            self._attend(listen(settings.addresses, settings.http_port), RedirectHandler)

    def _attend(self, listeners: list[socket.socket], handler: type[Handler]) -> None:
        for listener in listeners:
            self._selector.register(listener, selectors.EVENT_READ, handler)

    def _turn(self) -> None:
        interval = self.settings.watchdog_seconds / 3
        wait = min(_TICK_SECONDS, interval or _TICK_SECONDS, self._heart.interval / 3)
        for key, _ in self._selector.select(wait):
            if key.data is None:
                self._heed_signals()
            else:
                self._accept(key.fileobj, key.data)  # type: ignore[arg-type]  # only sockets
        self.connections.expire()
        self._heart.beat()
        self._faults.tick()
        if interval and time.monotonic() >= self._watchdog_due:
            self._watchdog_due = time.monotonic() + interval
            self._notifier.send("WATCHDOG=1")

    def _heed_signals(self) -> None:
        for number in self._signals.recv(64):
            if self._faults.refuses and number == signal.SIGTERM:
                _say("SIGTERM refused")
            elif number in {signal.SIGTERM, signal.SIGINT}:
                self.state = "stopping"
            elif number == signal.SIGHUP:
                self._reload()

    def _reload(self) -> None:
        if self._context is None:
            return
        self._notifier.send(*reloading())
        try:
            self._context = self._read_certificate()
        except ContainerError as error:
            _say(f"the certificate was not re-read, the old one stays: {error}", stream=sys.stderr)
        else:
            _say("the certificate was re-read")
        self._notifier.send("READY=1")

    def _read_certificate(self) -> ssl.SSLContext:
        # Under the supervisor the key is decrypted already.
        key = self.settings.plain_key or install_key(self.settings.tls)
        return server_context(self.settings.tls.certificate, key)

    def _accept(self, listener: socket.socket, handler: type[Handler]) -> None:
        while True:
            try:
                connection, address = listener.accept()
            except BlockingIOError:
                return
            except OSError:  # the client left again, or no descriptor is free just now
                return
            if not self.connections.make_room():
                connection.close()
                continue
            if handler is PageHandler and self._context:
                try:
                    connection.getpeername()
                    connection = self._context.wrap_socket(
                        connection, server_side=True, do_handshake_on_connect=False
                    )
                except OSError:  # the client reset the connection before it was accepted
                    connection.close()
                    continue
            self.connections.enter(connection, Phase.NEW)
            arguments = (connection, address, handler)
            threading.Thread(target=self._serve, args=arguments, daemon=True).start()

    def _serve(self, connection: socket.socket, address: object, handler: type[Handler]) -> None:
        try:
            handler(connection, address, self)
        finally:
            self.connections.leave(connection)
            connection.close()

    def _drain(self) -> int:
        """Accept waiting connections, answer their requests, then end."""
        self._notifier.send("STOPPING=1", "STATUS=finishing requests")
        for key in list(self._selector.get_map().values()):
            if key.data is not None:
                self._accept(key.fileobj, key.data)  # type: ignore[arg-type]  # only sockets
                self._selector.unregister(key.fileobj)
                key.fileobj.close()  # type: ignore[union-attr]
        began = time.monotonic()
        while len(self.connections) and time.monotonic() < began + _DRAIN_SECONDS:
            if time.monotonic() > began + _LAST_REQUEST_SECONDS:
                self.connections.end_idle()
            time.sleep(0.02)
        return 0 if not len(self.connections) else 1


def _signal_channel() -> socket.socket:
    """Receive signals as bytes on a socket, so that none is lost."""
    reader, writer = socket.socketpair()
    reader.settimeout(0)
    writer.settimeout(0)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writer.detach(), warn_on_full_buffer=False)
    return reader


def _say(line: str, *, stream: object = None) -> None:
    print(line, file=stream or sys.stdout, flush=True)  # type: ignore[arg-type]
