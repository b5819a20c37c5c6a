"""An HTTP/2 client that ends connections as browsers do, with RFC 9113, 6.8.

After GOAWAY, requests that the server may have processed keep their streams, and later ones are
sent again on another connection. Python's clients, such as httpx, fail them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)

_HEADER, _GOAWAY = 9, 7
_READ = 65536
_STREAMS = 100


class NotProcessedError(Exception):
    """The server said that it did not look at a request."""


@dataclass
class _Answer:
    """What has arrived of an answer, and whether all of it has."""

    whole: asyncio.Future[None]
    status: str = ""
    body: bytearray = field(default_factory=bytearray)


@dataclass
class Connection:
    """One connection; `ending` when it takes no more requests."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    authority: str
    ending: bool = False
    state: H2Connection = field(
        default_factory=lambda: H2Connection(H2Configuration(header_encoding="utf-8"))
    )
    answers: dict[int, _Answer] = field(default_factory=dict)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    streams: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_STREAMS))

    async def request(self, verb: str, body: bytes) -> tuple[str, bytes]:
        """Send a request; return status and body of the answer.

        Raises:
            NotProcessedError: when it has to be sent again on another connection.
            OSError: when the connection or the stream ended without an answer.
        """
        async with self.streams:
            return await self._exchange(verb, body)

    async def _exchange(self, verb: str, body: bytes) -> tuple[str, bytes]:
        if self.ending:
            raise NotProcessedError
        stream = self.state.get_next_available_stream_id()
        answer = self.answers[stream] = _Answer(asyncio.get_running_loop().create_future())
        fields = [
            (":method", verb), (":path", "/"), (":scheme", "https"),
            (":authority", self.authority), ("content-length", str(len(body))),
        ]  # fmt: skip
        try:
            self.state.send_headers(stream, fields, end_stream=not body)
            self._flush()
            while body and not answer.whole.done():
                self.room.clear()
                window = self.state.local_flow_control_window(stream)
                size = min(window, self.state.max_outbound_frame_size, len(body))
                if not size:
                    await asyncio.wait(
                        {asyncio.ensure_future(self.room.wait()), answer.whole},
                        return_when=asyncio.FIRST_COMPLETED,
                    )
                    continue
                self.state.send_data(stream, body[:size], end_stream=size == len(body))
                body = body[size:]
                self._flush()
            await answer.whole
        finally:
            del self.answers[stream]
        return answer.status, bytes(answer.body)

    async def receive(self) -> None:
        """Read until the server closes the connection."""
        self.state.initiate_connection()
        self._flush()
        data = b""
        with contextlib.suppress(OSError):
            while more := await self.reader.read(_READ):
                data = self._frames(data + more)
        self.ending = True
        for answer in self.answers.values():
            _fail(answer, ConnectionError("the server closed the connection"))
        self.writer.close()

    def _frames(self, data: bytes) -> bytes:
        """Take all whole frames, and return what is left. GOAWAY would end the state of h2."""
        while len(data) >= _HEADER:
            size = _HEADER + int.from_bytes(data[:3])
            if len(data) < size:
                break
            frame, data = data[:size], data[size:]
            if frame[3] == _GOAWAY:
                self._leave(int.from_bytes(frame[_HEADER : _HEADER + 4]))
                continue
            for event in self.state.receive_data(frame):
                self._handle(event)
            self._flush()
        return data

    def _leave(self, last: int) -> None:
        self.ending = True
        for stream, answer in self.answers.items():
            if stream > last:
                _fail(answer, NotProcessedError())
        if not self.answers:
            self.writer.close()

    def _handle(self, event: Event) -> None:
        if isinstance(event, WindowUpdated):
            self.room.set()
        answer = self.answers.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, DataReceived):
            self.state.acknowledge_received_data(
                event.flow_controlled_length or 0, event.stream_id or 0
            )
        if not answer:
            return
        if isinstance(event, ResponseReceived):
            answer.status = str(dict(event.headers or ())[":status"])
        elif isinstance(event, DataReceived):
            answer.body += event.data or b""
        elif isinstance(event, StreamEnded) and not answer.whole.done():
            answer.whole.set_result(None)
        elif isinstance(event, StreamReset):
            _fail(answer, ConnectionError(f"stream reset: {event.error_code}"))

    def _flush(self) -> None:
        self.writer.write(self.state.data_to_send())


def _fail(answer: _Answer, error: Exception) -> None:
    if not answer.whole.done():
        answer.whole.set_exception(error)


@dataclass
class Client:
    """Requests over one connection at a time, made again when the server ends it."""

    address: str
    port: int
    name: str
    context: ssl.SSLContext
    connection: Connection | None = None
    connecting: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def request(self, verb: str, body: bytes) -> tuple[str, bytes]:
        """Send a request, again where the server did not process it; return status and body.

        Raises:
            OSError: when there is no answer.
        """
        while True:
            connection = await self._open()
            try:
                return await connection.request(verb, body)
            except NotProcessedError:
                continue

    async def _open(self) -> Connection:
        async with self.connecting:
            if not self.connection or self.connection.ending:
                reader, writer = await asyncio.open_connection(
                    self.address, self.port, ssl=self.context, server_hostname=self.name
                )
                self.connection = Connection(reader, writer, self.name)
                task = asyncio.create_task(self.connection.receive())
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
                await asyncio.sleep(0)  # it begins the connection
            return self.connection
