"""A receiver of notifications and a mail server, on the loopback interface."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope, Session

from deploy.notify.plan.notice import Finding, Notice, notice
from tests.ports import free_port

AT = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)
BROKEN = Finding(
    "drift", "shop-www", "web1", "mode /etc/x", "web1 differs", "mode: /etc/x", trouble=True
)


def example(finding: Finding = BROKEN, **changes: Any) -> Notice:
    return notice(finding, "cf_1", AT, reminder=False, secrets=()).model_copy(update=changes)


@dataclass
class Came:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Hook:
    """A web receiver: what came, and how it answers."""

    port: int = 0
    status: int = 200
    location: str = ""
    came: list[Came] = field(default_factory=list)
    # While it is not set, no request is answered.
    answers: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/s3cr3t-path"

    @property
    def titles(self) -> list[str]:
        return [one.json["title"] for one in self.came]


@contextlib.contextmanager
def hook() -> Iterator[Hook]:
    """Serve until the block ends."""
    made = Hook()
    made.answers.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {key.lower(): value for key, value in self.headers.items()}
            made.answers.wait()
            made.came.append(Came(self.command, self.path, headers, body))
            with contextlib.suppress(OSError):
                self.send_response(made.status)
                if made.location:
                    self.send_header("Location", made.location)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def do_PUT(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield made
        finally:
            made.answers.set()
            server.shutdown()
            thread.join()


@dataclass
class Mails:
    """A mail server's ears: what came, and how it answers."""

    port: int = 0
    answer: str = "250 taken"
    came: list[tuple[str, EmailMessage]] = field(default_factory=list)

    async def handle_DATA(self, server: object, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(mail, EmailMessage)
            self.came.append((envelope.rcpt_tos[0], mail))
        return self.answer


@contextlib.contextmanager
def mail_server() -> Iterator[Mails]:
    """Take mails until the block ends."""
    made = Mails(free_port())
    server = Controller(made, hostname="127.0.0.1", port=made.port)
    server.start()
    try:
        yield made
    finally:
        server.stop()
