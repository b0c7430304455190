"""Servers that follow a script, over HTTP/1.1 and HTTP/2, and note what they really received."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded

from tests.support.waiting import until

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Id: a\r\nX-Id: b\r\n\r\nok"


@asynccontextmanager
async def tcp_server(
    serve: Serve, port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[asyncio.StreamWriter]]]:
    """Serve what connects to a free port, or to this one; gives the port, and the connections there were. They end without
    a word when it is left."""
    writers: list[asyncio.StreamWriter] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await serve(reader, writer)

    server = await asyncio.start_server(noted, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1], writers
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()


@dataclass
class Server:
    """Of HTTP/1.1. `answer` gets the number of the request (from 1), and what to write to."""

    answer: Callable[[int, asyncio.StreamWriter], Awaitable[None]]
    #: Called with each new connection's number, before anything is read.
    greet: Callable[[int, asyncio.StreamWriter], Awaitable[None]] | None = None
    port: int = 0
    connections: int = 0
    #: What was read in full, head and body; and all bytes that were read.
    received: list[tuple[bytes, bytes]] = field(default_factory=list)
    bytes: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext | None = None) -> AsyncIterator["Server"]:
        """Listen, until left."""
        async with tcp_server(self._serve, self.port, tls) as (self.port, self.writers):
            yield self

    async def reached(self, number: int) -> None:
        """So many requests were read."""
        await until(lambda: len(self.received) >= number)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.greet is not None:
                await self.greet(self.connections, writer)
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                self.bytes += len(head)
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if line)
                body = await reader.readexactly(int(fields.get(b"content-length", 0)))
                self.bytes += len(body)
                self.received.append((head, body))
                await self.answer(len(self.received), writer)
                await writer.drain()


async def answering(number: int, writer: asyncio.StreamWriter) -> None:
    """201, and the connection stays."""
    writer.write(OK)


@dataclass
class Server2:
    """Of HTTP/2. `answer` gets the connection and the stream of each request that was read in full."""

    answer: Callable[["Server2", H2Connection, int], None]
    port: int = 0
    connections: int = 0
    received: list[bytes] = field(default_factory=list)
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, tls: ssl.SSLContext) -> AsyncIterator["Server2"]:
        """Listen, until left."""
        tls.set_alpn_protocols(["h2"])
        async with tcp_server(self._serve, tls=tls) as (self.port, self.writers):
            yield self

    def say(self, connection: H2Connection, stream: int, status: int = 200, body: bytes = b"ok") -> None:
        """An answer."""
        connection.send_headers(stream, [(":status", str(status)), ("apns-id", "1")])
        connection.send_data(stream, body, end_stream=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        bodies: dict[int, bytes] = {}
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(connection.data_to_send())
                if not (data := await reader.read(65536)):
                    return
                for event in connection.receive_data(data):
                    self._take(connection, event, bodies)

    def _take(self, connection: H2Connection, event: Event, bodies: dict[int, bytes]) -> None:
        if isinstance(event, RequestReceived):
            bodies[event.stream_id] = b""
        elif isinstance(event, DataReceived):
            bodies[event.stream_id] += event.data
        elif isinstance(event, StreamEnded):
            self.received.append(bodies[event.stream_id])
            self.answer(self, connection, event.stream_id)
