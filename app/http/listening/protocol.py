"""uvicorn's HTTP/1.1 connection with bounds: of what a request's head may be, and of how long each step may take.

uvicorn and llhttp have none for headers (https://github.com/MagicStack/httptools keeps what it has of one header, and
copies it for each piece that comes), none for a head that does not end, and a timer for each idle connection.
"""

import asyncio
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.http.listening.connection import BETWEEN, BODY, HEAD, Connection
from app.http.listening.connections import Connections
from webhooks.callers import Proxies, party_of

#: Bytes that the parser is given at once: by so much a head can be longer than it may be before that is seen.
PIECE = 32 << 10
#: Bytes for each of a body's that it may come with, itself among them: one in a chunk of its own has six.
FRAMING = 8
#: Requests that may wait on one connection for the answer of the first.
PIPELINED = 16
#: Bytes that are read on after a refusal.
LINGER_BYTES = 4 << 20


class _Refused(Exception):
    """Raised within the parser's calls: the request is refused so."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BoundedProtocol(Connection):
    """One connection, known to all `connections`; `proxies` says whose word counts for who called."""

    def __init__(
        self, connections: Connections, proxies: Proxies, config: Config, server_state: ServerState, **more: Any
    ):
        """Beside uvicorn's own arguments."""
        super().__init__(connections, config, server_state, **more)
        self.proxies = proxies
        #: Bytes of this request that are no body, beyond what its body may come with: its head, chunks' sizes, trailers.
        self.framing = 0
        self._thrown = 0
        self._refusal: _Refused | None = None

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

    def _raise(self, status: int) -> None:
        self._refusal = _Refused(status)
        raise self._refusal


def protocol_of(connections: Connections, proxies: Proxies) -> type[asyncio.Protocol]:
    """What uvicorn's configuration takes as `http`: makes a connection with uvicorn's own arguments."""

    def make(**given: Any) -> BoundedProtocol:
        return BoundedProtocol(connections, proxies, given.pop("config"), given.pop("server_state"), **given)

    # uvicorn only calls it.
    return cast(type[asyncio.Protocol], make)
