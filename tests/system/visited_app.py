"""An app for tests of the proxy: plain HTTP, event streams, WebSockets, each with its version."""

import base64
import hashlib
import http.server
import os
import signal
import socketserver
import ssl
import threading
import time
from pathlib import Path

VERSION = os.environ.get("GREETING", "")
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.echo_frames()
        elif self.path == "/events":
            self.stream()
        elif self.path.startswith("/slow"):
            time.sleep(float(self.path.partition("?")[2] or 1))
            self.answer(VERSION)
        elif self.path.startswith("/download"):
            self.answer(VERSION * int(self.path.partition("?")[2]))
        elif self.path == "/headers":
            self.answer(str(self.headers))
        elif self.path == "/missing":
            self.answer("the app's own page", 404)
        else:
            self.answer(VERSION)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.answer(hashlib.sha256(body).hexdigest())

    def answer(self, text: str, status: int = 200) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.close_connection = True
        while True:
            self.wfile.write(f"data: {VERSION}\n\n".encode())
            self.wfile.flush()
            time.sleep(0.1)

    def echo_frames(self) -> None:
        accept = hashlib.sha1(  # noqa: S324 -- RFC 6455 wants it
            self.headers["Sec-WebSocket-Key"].encode() + _GUID
        ).digest()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(accept).decode())
        self.end_headers()
        self.close_connection = True
        while (head := self.rfile.read(2)) and head[0] & 15 != 8:
            length, mask = head[1] & 127, self.rfile.read(4)
            sent = bytes(one ^ mask[at % 4] for at, one in enumerate(self.rfile.read(length)))
            text = VERSION.encode() + b" " + sent
            self.wfile.write(bytes((0x81, len(text))) + text)
            self.wfile.flush()

    def log_message(self, *args: object) -> None:
        pass


class UnixPage(Page):
    disable_nagle_algorithm = False


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    # As process 1 it would ignore SIGTERM, and be killed after 10 s.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if os.environ.get("SPEAKS") == "nothing":
        signal.pause()
    if lives := os.environ.get("LIVES"):
        threading.Timer(float(lives), os._exit, (1,)).start()
    path = os.environ.get("HTTP_SOCKET")
    if path and not os.environ.get("LISTEN"):
        unix = UnixServer(path, UnixPage)
        if mode := os.environ.get("MODE"):
            Path(path).chmod(int(mode, 8))
        unix.serve_forever()
    port = os.environ.get("LISTEN") or os.environ.get("PORT") or os.environ["HTTPS_PORT"]
    server = Server((os.environ.get("BIND", "0.0.0.0"), int(port)), Page)  # noqa: S104
    if os.environ.get("SPEAKS") == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/self.crt", "/self.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()
