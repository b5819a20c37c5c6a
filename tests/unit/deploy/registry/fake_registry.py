"""A registry on loopback, in memory, which answers wrongly where a test asks it to."""

import base64
import hashlib
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

LOGIN = "ann:s3cret:word"
TOKEN = "t0ken"
_PLACE = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs)/(?P<rest>.*)")


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass
class Asked:
    """A request as it came, and the means to answer it."""

    handler: BaseHTTPRequestHandler
    method: str
    path: str
    query: dict[str, str]
    _body: bytes | None = None

    @property
    def body(self) -> bytes:
        """What the request carries; read when it is asked for."""
        if self._body is None:
            self._body = self.handler.rfile.read(int(self.handler.headers.get("Content-Length", 0)))
        return self._body

    @property
    def login(self) -> str:
        return self.handler.headers.get("Authorization", "")

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.body  # noqa: B018 -- or the connection breaks where the rest of it is sent
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name.replace("_", "-"), value)
        self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        if self.method != "HEAD":
            self.handler.wfile.write(body)


Mood = Callable[[Asked], bool]


def answering(
    status: int, body: bytes = b"", *, method: str = "", ending: str = "", **headers: str
) -> Mood:
    """Give a mood that answers every request, or those of a method and with a path's ending."""

    def mood(asked: Asked) -> bool:
        meant = method in {"", asked.method} and asked.path.endswith(ending)
        if meant:
            asked.answer(status, body, **headers)
        return meant

    return mood


@dataclass
class FakeRegistry:
    """Repositories in memory. A mood sees each request first, and answers it if it returns True."""

    port: int = 0
    auth: str = ""
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    moods: list[Mood] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def written(self) -> list[str]:
        """What was written, in order: blobs, and manifests by the name they were given."""
        puts = [line.split()[1] for line in self.asked if line.startswith("PUT ")]
        return ["blob" if "/blobs/" in one else one.rpartition("/")[2] for one in puts]

    def once(self, mood: Mood) -> None:
        """Let the first request that a mood answers be the only one."""
        done: list[bool] = []

        def first(asked: Asked) -> bool:
            if not done and mood(asked):
                done.append(True)
                return True
            return False

        self.moods.append(first)

    def json(self, name: str, reference: str) -> Any:
        return json.loads(self.manifests[name, reference][1])

    def serve(self, asked: Asked) -> None:
        self.asked.append(f"{asked.method} {asked.path}")
        self.logins.append(asked.login)
        if any(mood(asked) for mood in self.moods):
            return
        if asked.path == "/token":
            self._token(asked)
        elif self.auth and asked.login != self._expected():
            asked.answer(401, WWW_Authenticate=self._challenge())
        elif found := _PLACE.fullmatch(asked.path):
            serve = self._manifest if found["kind"] == "manifests" else self._blob
            serve(asked, found["name"], found["rest"])
        else:
            asked.answer(404)

    def _expected(self) -> str:
        return _basic(LOGIN) if self.auth == "basic" else f"Bearer {TOKEN}"

    def _challenge(self) -> str:
        if self.auth == "basic":
            return 'Basic realm="here"'
        return f'Bearer realm="http://{self.address}/token",service="s",scope="repository:all:*"'

    def _token(self, asked: Asked) -> None:
        if asked.login != _basic(LOGIN):
            asked.answer(401)
            return
        assert asked.query["scope"].endswith(":pull,push")
        asked.answer(200, json.dumps({"token": TOKEN}).encode())

    def _manifest(self, asked: Asked, name: str, reference: str) -> None:
        if asked.method == "PUT":
            kind = asked.handler.headers["Content-Type"]
            found = digest(asked.body)
            for one in (reference, found):
                self.manifests[name, one] = kind, asked.body
            asked.answer(201, Docker_Content_Digest=found)
            return
        kind, content = self.manifests.get((name, reference), ("", b""))
        asked.answer(200 if kind else 404, content, Content_Type=kind)

    def _blob(self, asked: Asked, name: str, rest: str) -> None:
        if asked.method == "POST":
            source, wanted = asked.query.get("from", ""), asked.query.get("mount", "")
            if content := self.blobs.get((source, wanted)):
                self.blobs[name, wanted] = content
            place = f"/v2/{name}/blobs/uploads/1?state=a"
            asked.answer(201 if content else 202, Location=place)
        elif asked.method == "PUT":
            found = digest(asked.body)
            if found != asked.query["digest"]:
                asked.answer(400, json.dumps({"errors": [{"code": "DIGEST_INVALID"}]}).encode())
                return
            self.blobs[name, found] = asked.body
            asked.answer(201, Docker_Content_Digest=found)
        else:
            content = self.blobs.get((name, rest))
            asked.answer(404 if content is None else 200, content or b"")


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


@contextmanager
def running(auth: str = "", tls: ssl.SSLContext | None = None) -> Iterator[FakeRegistry]:
    """Run a registry on a port of loopback; `auth` is basic, bearer or nothing."""
    registry = FakeRegistry(auth=auth)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _any(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            registry.serve(Asked(self, self.command, parts.path, query))

        do_GET = do_HEAD = do_PUT = do_POST = _any  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
