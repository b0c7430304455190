"""GET /api/customers/{id}/interactions/stream: changes of a customer's timeline, live, as server-sent events.

Each event is a whole interaction (`event: interaction`), so the last event of an id is its state. `Last-Event-ID`
resumes after the last event that was received, without gaps.
https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import psycopg
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.api.bodies import interaction, write
from app.api.cursors import Place, decode_place, encode_place
from app.api.customers import customer_id, must_exist
from app.api.parameters import read
from app.api.service import Api, api_of, caller
from app.api.tailer import Change, Ended, Listener, place_of
from app.http.access import Forbidden, Key, NotAllowed, Unauthenticated
from app.http.jwks import IssuerAway
from app.http.permits import need_of
from app.http.problems import Problem
from app.http.scopes import PERSONAL
from sql.personal.masking import mask_row
from sql.tenants import acting

#: Most streams of this process, and of one client.
STREAMS = 1000
STREAMS_OF_CLIENT = 250
#: Seconds between heartbeats: proxies close a connection that is silent for 30 to 60 seconds.
HEARTBEAT = 15.0
#: Most seconds that sending one block may take.
SEND = 30.0
#: Most seconds that a new stream waits for the tailer.
JOIN = 5.0
#: Changes in one query while catching up.
CATCH_UP = 200
#: Milliseconds that the caller should wait before it reconnects.
RETRY = b"retry: 1000\n\n"

#: What the credential must still allow while a stream is open.
_SCOPE = need_of("GET", "/api/customers/{id}/interactions/stream").scope
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}  # the latter: nginx passes each event on at once


async def stream(request: Request) -> Response:
    """Open a stream. Raises Problem."""
    key = caller(request)
    read(request, ())
    api, customer = api_of(request), customer_id(request)
    after = _after(request)
    await must_exist(api, key, customer)
    if request.method == "HEAD":
        return Response(headers=HEADERS, media_type="text/event-stream")
    if api.streams[key.client] >= STREAMS_OF_CLIENT:
        raise Problem(429, "This client has too many streams open.", headers={"retry-after": "5"})
    if api.streams.total() >= STREAMS:
        raise Problem(503, "Too many streams are open.", headers={"retry-after": "5"})
    if after is not None and after[0] > await api.store.log_end():
        raise Problem(410, "This event id is of another log. Read the timeline, and open the stream without the id.")
    return EventStream(api, key, customer, after, request)


def _after(request: Request) -> Place | None:
    """Return the place where the caller's last stream ended, or None. Raises Problem 400."""
    # A browser that has received no id yet sends an empty one.
    if not (text := request.headers.get("last-event-id", "")):
        return None
    try:
        return decode_place(text)
    except ValueError as error:
        raise Problem(400, f"Last-Event-ID: {error}.", parameter="Last-Event-ID") from error


class EventStream(Response):
    """The response of a stream. It always releases its listener, and ends as soon as the caller disconnects."""

    media_type = "text/event-stream"

    def __init__(self, api: Api, key: Key, customer: UUID, after: Place | None, request: Request) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._api = api
        self._client = key.client
        #: The session that it rests on, if it does on one.
        self._session = key.id if key.kind == "person" else None
        #: The reader of the log serves callers who see personal data and others, so it is masked here.
        self._masked = PERSONAL not in key.scopes
        self._customer = customer
        self._after = after
        self._authorization = request.headers.get("authorization")
        self._address = request.client.host if request.client else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the stream (ASGI)."""
        self._api.streams[self._client] += 1
        listener = self._api.tailer.join(self._customer)
        writing = asyncio.create_task(self._write(listener, send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((writing, gone), return_when=asyncio.FIRST_COMPLETED)
            if writing.done():
                await writing
        finally:
            writing.cancel()
            gone.cancel()
            await asyncio.wait((writing, gone))
            self._api.tailer.leave(self._customer, listener)
            self._api.streams[self._client] -= 1
            if not self._api.streams[self._client]:
                del self._api.streams[self._client]

    async def _write(self, listener: Listener, send: Send) -> None:
        try:
            async with asyncio.timeout(JOIN):
                start = await listener.joined
        except TimeoutError as error:
            raise Problem(503, "The log cannot be read now.", headers={"retry-after": "5"}) from error
        first = await self._missed(self._after) if self._after else []
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        blocks = self._blocks(listener, start, first)
        try:
            async with asyncio.timeout(None) as patience:
                async for block in blocks:
                    # A caller who reads nothing for so long is gone, even if the TCP connection is open.
                    patience.reschedule(asyncio.get_running_loop().time() + SEND)
                    await send({"type": "http.response.body", "body": block, "more_body": True})
                    patience.reschedule(None)
        except TimeoutError:
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _blocks(self, listener: Listener, start: Place, missed: Sequence[Change]) -> AsyncIterator[bytes]:
        """Yield the stream's blocks until it ends."""
        yield RETRY
        place = self._after or start
        if self._after is None:
            yield f"id: {encode_place(start)}\n\n".encode()
        while missed:
            yield self._written(missed)
            place = place_of(missed[-1])
            missed = await self._missed(place)
        place = max(place, start)
        checked = asyncio.get_running_loop().time()
        while True:
            try:
                changes = [change for change in await listener.take(HEARTBEAT) if place_of(change) > place]
            except Ended:
                return
            if changes:
                yield self._written(changes)
                place = place_of(changes[-1])
            else:
                yield b":\n\n"
            if (now := asyncio.get_running_loop().time()) - checked >= HEARTBEAT:
                checked = now
                if not await self._allowed():
                    return

    def _written(self, changes: Sequence[Change]) -> bytes:
        return _blocks([mask_row(change) for change in changes] if self._masked else changes)

    async def _missed(self, place: Place) -> Sequence[Change]:
        """Return the next changes since a place, up to the horizon of the log."""
        with acting((self._client,)):
            return await self._api.store.customer_changes(
                client_id=self._client, customer_id=self._customer, xid=place[0], position=place[1], limit=CATCH_UP
            )

    async def _allowed(self) -> bool:
        """Return whether the credential is still valid: a stream must not outlive it."""
        try:
            if self._session is not None and self._api.people is not None:
                return await self._api.people.sessions.alive(self._session)
            await self._api.access.check(self._authorization, _SCOPE, address=self._address)
        except (Unauthenticated, Forbidden, NotAllowed):
            return False
        except (psycopg.OperationalError, IssuerAway):
            return True  # unknown now; checked again at the next heartbeat
        return True


async def _gone(receive: Receive) -> None:
    """Return when the caller disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _blocks(changes: Sequence[Change]) -> bytes:
    return b"".join(
        b"event: interaction\nid: %s\ndata: %s\n\n"
        % (encode_place(place_of(change)).encode(), write(interaction(change)))
        for change in changes
    )
