"""A connection among all of them: what it waits for and for how long, how it is refused, and how it ends."""

import asyncio
from http import HTTPStatus
from typing import Any

import orjson
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.http.listening.connections import Connections
from webhooks.callers import LOCAL, party_of

#: Seconds for which is read on after a refusal, so that who sends still gets to read it.
LINGER = 2.0

#: What is read: nothing of a request yet, its head, its body.
BETWEEN, HEAD, BODY = range(3)


class Connection(HttpToolsProtocol):
    """One connection, known to all `connections`. What it reads, and how much, is its subclass's to say."""

    def __init__(self, connections: Connections, config: Config, server_state: ServerState, **more: Any):
        """Beside uvicorn's own arguments."""
        super().__init__(config, server_state, **more)
        self.table = connections
        self.bounds = connections.bounds
        self.address = self.caller = LOCAL
        #: When it began to wait for what it waits for, as a time, and in the order of all.
        self.since = connections.now
        self.turn = 0
        self.held = 0
        self.reading = BETWEEN
        #: Bytes of its body.
        self.got = 0
        #: Nothing more is understood; what still comes is thrown away.
        self.deaf = False
        #: Whether it was refused in words; and since when it is ending.
        self._said = False
        self._ending = 0.0
        self._stuck = 0.0
        self._looked = connections.now
        self._serving: RequestResponseCycle | None = None

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
            if (self._said or self._served) and now - self._ending > LINGER:
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
        self._said = True
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

    def pause_writing(self) -> None:
        """The caller does not read what we answer."""
        self._stuck = self.table.now
        super().pause_writing()

    def resume_writing(self) -> None:
        """It does again."""
        self._stuck = 0.0
        super().resume_writing()

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

    def _waits_from_now(self) -> None:
        table = self.table
        self.since = table.now
        table.turn = self.turn = table.turn + 1
