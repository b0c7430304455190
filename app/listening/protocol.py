"""uvicorn's HTTP/1.1 connection with bounds: of what a request's head may be, and of how long each step may take.

uvicorn and llhttp have none for headers (https://github.com/MagicStack/httptools keeps what it has of one header, and
copies it for each piece that comes), none for a head that does not end, and a timer for each idle connection.
"""

import asyncio
from http import HTTPStatus
from typing import Any, cast

import httptools
import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.listening.connections import Connections
from webhooks.callers import LOCAL, Proxies, party_of

#: Bytes that the parser is given at once: by so much a head can be longer than it may be before that is seen.
PIECE = 32 << 10
#: Bytes for each of a body's that it may come with, itself among them: one in a chunk of its own has six.
FRAMING = 8
#: Requests that may wait on one connection for the answer of the first.
PIPELINED = 16
#: What is read on, and for how many seconds, so that who sends still gets to read why it was refused.
LINGER_BYTES, LINGER = 4 << 20, 2.0

#: What is read: nothing of a request yet, its head, its body.
BETWEEN, HEAD, BODY = range(3)


class _Refused(Exception):
    """Raised within the parser's calls: the request is refused so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BoundedProtocol(HttpToolsProtocol):
    """One connection, known to all `connections`; `proxies` says whose word counts for who called."""

    def __init__(
        self, connections: Connections, proxies: Proxies, config: Config, server_state: ServerState, **more: Any
    ):
        """Beside uvicorn's own arguments."""
        super().__init__(config, server_state, **more)
        self.table = connections
        self.bounds = connections.bounds
        self.proxies = proxies
        self.address = self.caller = LOCAL
        #: When it began to wait for what it waits for, as a time, and in the order of all.
        self.since = connections.now
        self.turn = 0
        self.held = 0
        self.reading = BETWEEN
        #: Bytes of this request that are no body, beyond what its body may come with: its head, chunks' sizes, trailers.
        self.framing = 0
        #: Bytes of its body.
        self.got = 0
        #: Nothing more is understood; what still comes is thrown away.
        self.deaf = False
        self._thrown = 0
        self._ending = 0.0
        self._stuck = 0.0
        self._looked = connections.now
        self._serving: RequestResponseCycle | None = None
        self._refusal: _Refused | None = None

    # What the table of connections asks

    @property
    def waits(self) -> bool:
        """Whether it waits for its caller, and not for us."""
        return self._served or (self.reading is BODY and self._serving is self.cycle)

    @property
    def _served(self) -> bool:
        """Whether every whole request was answered."""
        return self._serving is None or self._serving.response_complete

    def look(self, now: float) -> None:
        """End what takes too long."""
        bounds, waited = self.bounds, now - self.since
        pause, self._looked = now - self._looked, now
        if self.transport.is_closing():
            self._ending = self._ending or now
            if now - self._ending > bounds.write_timeout:
                self.drop()
        elif self._stuck and now - self._stuck > bounds.write_timeout:
            self.table.note("unread")
            self.drop()
        elif self.deaf:
            if self._served and now - self._ending > LINGER:
                self.drop()
        elif self.flow.read_paused:
            self.since += pause  # it is we who do not read
        elif self.reading is HEAD:
            if waited > bounds.head_timeout:
                self.table.note("slow head")
                self.refuse(408)
        elif self.reading is BODY:
            if waited > bounds.body_timeout or (waited > bounds.body_grace and self.got < bounds.body_rate * waited):
                self.table.note("slow body")
                self.refuse(408)
        elif self._served and waited > (bounds.head_timeout if self.cycle is None else bounds.idle_timeout):
            self.table.ended["idle"] += 1
            self.transport.close()

    def drop(self) -> None:
        """Close at once."""
        self.deaf = True
        self.transport.abort()

    def refuse(self, status: int) -> None:
        """Answer the request that is being read so, after those before it; then close."""
        self.deaf = True
        self.table.release(self)
        self._ending = self.table.now
        unread = self.reading is BODY  # then the newest cycle is that of the request which is refused
        serving = self._serving
        if unread and self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
        elif unread and serving is not None and serving is self.cycle:
            serving.disconnected = True
            serving.message_event.set()
            if serving.response_started:  # it was answered before it was whole
                self.drop()
                return
            serving = None
        if serving is None or serving.response_complete:
            self._say(status)
            return
        # Those that are whole are answered first, and the connection ends after the last of them.
        (self.pipeline[0][0] if self.pipeline else serving).keep_alive = False

    def _say(self, status: int) -> None:
        if self.transport.is_closing():
            return
        body = orjson.dumps({"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status})
        later = "retry-after: 1\r\n" if status == 429 else ""
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(body)}\r\n{later}connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()  # and the rest is read for a moment: closed now, it could not be read
        else:
            self.transport.close()

    # asyncio's calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """As uvicorn's."""
        super().connection_made(transport)
        if self.client is not None:
            self.address = self.caller = party_of(self.client[0])
        self._waits_from_now()
        self.table.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """As uvicorn's; and what is being served hears of it, even if another request was read since."""
        self.table.remove(self)
        self.deaf = True
        super().connection_lost(exc)
        if self._serving is not None and not self._serving.response_complete:
            self._serving.disconnected = True
            self._serving.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Give the parser what came, in pieces, for as long as it is within its bounds."""
        if len(data) <= PIECE:
            self._feed(data)
            return
        whole = memoryview(data)
        for at in range(0, len(data), PIECE):
            self._feed(whole[at : at + PIECE])

    def _feed(self, data: bytes | memoryview) -> None:
        if self.deaf:
            self._thrown += len(data)
            if self._thrown > LINGER_BYTES:
                self.drop()
            return
        self.framing += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._stay()
            return
        except httptools.HttpParserError:
            refusal = self._refusal or _Refused(400)
            self.table.note({400: "malformed", 414: "large head", 431: "large head"}.get(refusal.status, "pipelined"))
            self.refuse(refusal.status)
            return
        if self.framing > self.bounds.head_bytes:
            self.table.note("large head")
            self.refuse(431)
        elif self.reading is BODY and not self.cycle.response_complete and self.got:
            self.table.hold(self, self.got)

    def _stay(self) -> None:
        """An upgrade was asked for. We stay with HTTP/1.1 (RFC 9110 section 7.8 lets us); but the parser does not tell
        what follows the head, so that a body is refused, and the connection ends with the answer."""
        names = {name for name, _ in self.scope["headers"]}
        if names & {b"content-length", b"transfer-encoding"}:
            self.reading = BODY
            self.table.note("malformed")
            self.refuse(400)
        else:
            self.deaf = True
            self.cycle.keep_alive = False

    def pause_writing(self) -> None:
        """The caller does not read what we answer."""
        self._stuck = self.table.now
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stuck = 0.0
        super().resume_writing()

    # The parser's calls

    def on_message_begin(self) -> None:
        """A request begins."""
        self.reading = HEAD
        self._waits_from_now()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        bounds = self.bounds
        if len(self.url) > bounds.target_bytes:
            self._raise(414)
        if len(self.headers) > bounds.headers:
            self._raise(431)
        if self.framing > bounds.head_bytes:  # with the body that came along: so it is counted only now
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > bounds.head_bytes:
                self._raise(431)
        if len(self.pipeline) >= PIPELINED:
            self._raise(429)
        peer = self.client
        if peer is not None:
            caller = self.proxies.caller(peer[0], self.headers)
            if caller is not peer[0]:
                self.caller = party_of(caller)
                self.scope["client"] = (caller, 0)
            else:
                self.caller = self.address
        super().on_headers_complete()
        self.reading = BODY
        self._waits_from_now()
        self.got = 0
        self.headers = []  # trailers are put here, and forgotten: they are no headers (RFC 9110 section 6.5.1)

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        size = len(body)
        self.got += size
        self.framing = max(0, self.framing - FRAMING * size)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """It is whole."""
        self.reading = BETWEEN
        self.framing = 0
        if self.held:
            self.table.release(self)
        super().on_message_complete()

    def _waits_from_now(self) -> None:
        table = self.table
        self.since = table.now
        table.turn = self.turn = table.turn + 1

    def _raise(self, status: int) -> None:
        self._refusal = _Refused(status)
        raise self._refusal

    # uvicorn's own

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """As uvicorn's, without a timer for each: the clock of all connections looks."""
        self.server_state.total_requests += 1
        if self.held:
            self.table.release(self)
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif self.reading is BETWEEN:
            self._waits_from_now()


def protocol_of(connections: Connections, proxies: Proxies) -> type[asyncio.Protocol]:
    """What uvicorn's configuration takes as `http`: makes a connection with uvicorn's own arguments."""

    def make(**given: Any) -> BoundedProtocol:
        return BoundedProtocol(connections, proxies, given.pop("config"), given.pop("server_state"), **given)

    # uvicorn only calls it.
    return cast(type[asyncio.Protocol], make)
