"""Adds limits to uvicorn's HTTP/1.1 protocol: the size of a request's head, and the time of each step.

uvicorn and llhttp do not limit headers (httptools buffers an incomplete header and copies it for each further piece) or the
time for a head, and use a timer for each idle connection.
"""

import asyncio
from functools import partial
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from app.http.listening.connection import BETWEEN, BODY, HEAD
from app.http.listening.connections import Connections
from app.http.listening.handshake import Front
from app.http.listening.prompt import Prompt, Take
from webhooks.callers import Proxies, party_of

#: Bytes given to the parser at once, and so by how much a head can exceed its limit before that is noticed.
PIECE = 32 << 10
#: Bytes on the wire allowed per byte of the body: a byte in its own chunk takes six.
FRAMING = 8
#: Pipelined requests that may wait on one connection.
PIPELINED = 16
#: Bytes read and discarded after a refusal.
LINGER_BYTES = 4 << 20


class _Refused(Exception):
    """Raised in the parser's callbacks to refuse the request with a status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class BoundedProtocol(Prompt):
    """One connection, registered in `connections`. `proxies` are the trusted proxies."""

    def __init__(
        self,
        connections: Connections,
        proxies: Proxies,
        take: Take | None,
        config: Config,
        server_state: ServerState,
        **more: Any,
    ):
        """Take connections, proxies and `take` in addition to uvicorn's arguments."""
        super().__init__(connections, take, config, server_state, **more)
        self.proxies = proxies
        #: Bytes of this request beyond its body and the allowed framing: its head, chunk sizes and trailers.
        self.framing = 0
        self._thrown = 0
        self._refusal: _Refused | None = None

    def data_received(self, data: bytes) -> None:
        """Feed the parser in pieces while the limits hold."""
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
        self.feeding = True
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.begin(prompt=False)
            self._stay()
            return
        except httptools.HttpParserError:
            self.begin()
            refusal = self._refusal or _Refused(400)
            self.table.note({400: "malformed", 414: "large head", 431: "large head"}.get(refusal.status, "pipelined"))
            self.refuse(refusal.status)
            return
        self.begin()
        if self.framing > self.bounds.head_bytes:
            self.table.note("large head")
            self.refuse(431)
        elif self.reading is BODY and not self.cycle.response_complete and self.got:
            self.table.hold(self, min(self.got, self.bounds.body_in_memory))

    def _stay(self) -> None:
        """Ignore a requested upgrade (RFC 9110 section 7.8 allows that). The parser does not report what follows the head, so
        a body is refused, and the connection closes after the response."""
        names = {name for name, _ in self.scope["headers"]}
        if names & {b"content-length", b"transfer-encoding"}:
            self.reading = BODY
            self.table.note("malformed")
            self.refuse(400)
        else:
            self.deaf = True
            self.cycle.keep_alive = False

    # Called by the parser

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.reading = HEAD
        self._waits_from_now()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Check the complete head."""
        bounds = self.bounds
        if len(self.url) > bounds.target_bytes:
            self._raise(414)
        if len(self.headers) > bounds.headers:
            self._raise(431)
        if self.framing > bounds.head_bytes:  # this includes body bytes read along with it, so count exactly
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
        if self.client_names:
            self.scope["client_names"] = self.client_names  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()
        self.reading = BODY
        self._waits_from_now()
        self.got = 0
        self.headers = []  # the parser appends trailers here; they are dropped, since they are no headers (RFC 9110 section 6.5.1)

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        size = len(body)
        self.got += size
        self.framing = max(0, self.framing - FRAMING * size)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request."""
        self.reading = BETWEEN
        self.framing = 0
        if self.held:
            self.table.release(self)
        super().on_message_complete()

    def _raise(self, status: int) -> None:
        self._refusal = _Refused(status)
        raise self._refusal


def protocol_of(
    connections: Connections, proxies: Proxies, front: Front | None = None, take: Take | None = None
) -> type[asyncio.Protocol]:
    """Return a factory of connections for uvicorn's option `http`. With `front` they begin with a TLS handshake; `take` is offered
    each request that came whole, before the application."""

    def make(**given: Any) -> asyncio.Protocol:
        config, state = given.pop("config"), given.pop("server_state")
        bounded = partial(BoundedProtocol, connections, proxies, take, config, state, **given)
        return bounded() if front is None else front.protocol(bounded)

    # uvicorn only calls this.
    return cast(type[asyncio.Protocol], make)
