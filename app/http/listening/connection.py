"""One connection: its timeouts, how it is refused, and how it ends."""

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.http.listening.connections import Connections
from app.http.listening.tls import names_of
from app.http.secured import DOOR, fields
from webhooks.callers import LOCAL, party_of

#: Seconds to keep reading after a refusal, so that the caller can read the response.
LINGER = 2.0

#: The security headers of answers that are not the application's, by the connection's scheme.
ALWAYS = {
    scheme: "".join(f"{name}: {value}\r\n" for name, value in fields(DOOR, {"scheme": scheme}).items()).encode()
    for scheme in ("http", "https")
}

#: What is being read: nothing yet, a request's head, or its body.
BETWEEN, HEAD, BODY = range(3)


class Connection(HttpToolsProtocol):
    """One connection, registered in `connections`. Its subclass parses and limits what is read."""

    def __init__(self, connections: Connections, config: Config, server_state: ServerState, **more: Any):
        """Take the table of connections in addition to uvicorn's arguments."""
        super().__init__(config, server_state, **more)
        self.table = connections
        self.bounds = connections.bounds
        self.address = self.caller = LOCAL
        #: The security headers of its answers.
        self.always = ALWAYS["http"]
        #: The names of the caller's verified certificate; none without mutual TLS.
        self.client_names: frozenset[str] = frozenset()
        #: When the current wait began: as a time, and as its place in the order of all waits.
        self.since = connections.now
        self.turn = 0
        self.held = 0
        self.reading = BETWEEN
        #: Bytes of the body received so far.
        self.got = 0
        #: Whether further input is discarded.
        self.deaf = False
        #: Whether a refusal was written; and since when the connection is closing.
        self._refusal_sent = False
        self._ending = 0.0
        self._stuck = 0.0
        self._looked = connections.now
        self._serving: RequestResponseCycle | None = None

    # Called by the table of connections

    @property
    def waits(self) -> bool:
        """Whether it waits for its caller rather than for this process."""
        return self._served or (self.reading is BODY and self._serving is self.cycle)

    @property
    def _served(self) -> bool:
        """Whether every complete request was answered."""
        return self._serving is None or self._serving.response_complete

    def look(self, now: float) -> None:
        """Enforce the timeouts."""
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
            if (self._refusal_sent or self._served) and now - self._ending > LINGER:
                self.drop()
        elif self.flow.read_paused:
            self.since += pause  # this process has paused reading, so the time does not count
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
        """Answer the request being read with this status, after those before it, then close."""
        self.deaf = True
        self.table.release(self)
        self._ending = self.table.now
        unread = self.reading is BODY  # the newest cycle is then that of the refused request
        serving = self._serving
        if unread and self.pipeline and self.pipeline[0][0] is self.cycle:
            self.pipeline.popleft()
        elif unread and serving is not None and serving is self.cycle:
            serving.disconnected = True
            serving.message_event.set()
            if serving.response_started:  # it was answered before it was complete
                self.drop()
                return
            serving = None
        if serving is None or serving.response_complete:
            self._send_refusal(status)
            return
        # Complete requests are answered first, and the connection closes after the last of them.
        (self.pipeline[0][0] if self.pipeline else serving).keep_alive = False

    def _send_refusal(self, status: int) -> None:
        if self.transport.is_closing():
            return
        body = orjson.dumps({"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status})
        later = "retry-after: 1\r\n" if status == 429 else ""
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/problem+json\r\n{self.always.decode()}"
            f"content-length: {len(body)}\r\n{later}connection: close\r\n\r\n"
        )
        self._refusal_sent = True
        self.transport.write(head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        # Keep reading for a moment: if it were closed now, the caller could not read the response. TLS cannot be ended in one
        # direction, so there the caller sees the end by the response's length, and `look` closes.

    # Called by asyncio

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Extend uvicorn's method."""
        super().connection_made(transport)
        self.always = ALWAYS[self.scheme or "http"]
        if self.client is not None:
            self.address = self.caller = party_of(self.client[0])
        self.client_names = names_of(transport.get_extra_info("peercert"))
        self._waits_from_now()
        self.table.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Extend uvicorn's method: also notify the request being served, even if another was read since."""
        self.table.remove(self)
        self.deaf = True
        super().connection_lost(exc)
        if self._serving is not None and not self._serving.response_complete:
            self._serving.disconnected = True
            self._serving.message_event.set()

    def pause_writing(self) -> None:
        """Record since when the caller has not read the response."""
        self._stuck = self.table.now
        super().pause_writing()

    def resume_writing(self) -> None:
        """Record that the caller reads the response again."""
        self._stuck = 0.0
        super().resume_writing()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._serving = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        """Do as uvicorn does, without a timer for each connection: one clock checks all of them."""
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

    def _waits_from_now(self) -> None:
        table = self.table
        self.since = table.now
        table.turn = self.turn = table.turn + 1
