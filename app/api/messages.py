"""POST /v1/messages and /v1/{channel}/messages: services ask for messages, one or up to 50 in a call.

202 says that they are kept: each will be sent, or told of.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from psycopg.errors import UniqueViolation
from starlette.requests import Request
from starlette.responses import Response

from app.api import idempotency
from app.api.batch import Item, documents_of, items_of
from app.api.bodies import write
from app.api.parameters import read
from app.api.payload import json_of
from app.api.service import Api, api_of, caller
from app.clients.configured import Client, UnknownClient
from app.http.problems import Problem
from app.sending.incoming import Incoming
from schemas.events import CHANNELS
from sql import InFlight, KeyTaken, Remembered, Verdict

READ, WRITE = "messages:read", "messages:write"
#: Bytes of a body, and of one that is read beside the event loop; seconds that taking it may last.
MOST, LARGE, PATIENCE = 1 << 20, 32 << 10, 10.0
#: Headers of a refusal that is over in a moment.
AGAIN = {"retry-after": "1"}


async def messages(request: Request) -> Response:
    """Take messages, by the channels that they name or else the client's. Raises Problem."""
    return await _answer(request, None)


async def channel_messages(request: Request) -> Response:
    """Take messages by one channel. Raises Problem."""
    channel = request.path_params["channel"]
    if channel not in CHANNELS:
        raise Problem(404, f"There is no such channel. The channels: {', '.join(CHANNELS)}.")
    return await _answer(request, channel)


async def _answer(request: Request, channel: str | None) -> Response:
    client_id = (await caller(request, WRITE)).client
    read(request, ())
    key = idempotency.key_of(request)
    body = await json_of(request, MOST)
    api, mark = api_of(request), b"" if key is None else idempotency.fingerprint(request, body)
    with _place(api):
        try:
            async with asyncio.timeout(PATIENCE):
                if key and (known := await idempotency.replay(api.store, client_id, key, mark)):
                    return known
                many, documents = documents_of(body)
                items = items_of(documents, client_id, channel, key, many=many)
                large = _large(request)
                found = await asyncio.to_thread(list, items) if large else await _each(items)
                taken = Taken(found, many, client_id, key, mark)
                await taken.offer(api, alone=large)
                return taken.answer()
        except InFlight as error:
            raise idempotency.in_flight() from error
        except KeyTaken as error:
            raise idempotency.taken() from error
        except UniqueViolation as error:
            # Its like was answered while this one waited for the same messages.
            if key and (known := await idempotency.replay(api.store, client_id, key, mark)):
                return known
            raise idempotency.in_flight() from error
        except TimeoutError as error:
            raise Problem(503, "The store is slow: ask again.", headers=AGAIN) from error


def _large(request: Request) -> bool:
    """Whether a body may take seconds to find the words for what is wrong with it: such are read beside the loop."""
    length = request.headers.get("content-length", "")
    return not length.isdecimal() or int(length) > LARGE


async def _each(items: Iterator[Item]) -> list[Item]:
    """The messages; each that is refused took a while, and the loop has its turn after it."""
    found = []
    for item in items:
        found.append(item)
        if item.refusal is not None:
            await asyncio.sleep(0)
    return found


class Taken:
    """The messages of one request, what becomes of each, and the answer that follows."""

    def __init__(self, items: list[Item], many: bool, client_id: str, key: str | None, mark: bytes) -> None:
        self.items, self._many = items, many
        self._client_id, self._key, self._mark = client_id, key, mark
        self._offered: list[Item] = []

    async def offer(self, api: Api, *, alone: bool) -> None:
        """Have those that can be sent written down, in one transaction with the answer under its key. `alone`, and what
        is raised: as of `Accepting.accept`."""
        incoming, at = Incoming(), datetime.now(UTC)
        client: Client | str
        try:
            client = await api.clients.client(self._client_id)
        except UnknownClient as error:
            client = str(error)
        for item in self.items:
            if item.request is None:
                continue
            if isinstance(client, str):
                item.refuse(422, "$", client)
            elif fault := incoming.add(item.request, client, at):
                item.unroutable(fault)
            else:
                item.channel = incoming.messages[-1].channel
                self._offered.append(item)
                continue
            await self._seen(api, item)
        if self._offered:
            await api.taking.accept(incoming, self._judged, alone=alone)

    async def _seen(self, api: Api, item: Item) -> None:
        """What the client's configuration has no way for now was taken all the same, if it was taken before."""
        assert item.request is not None
        row = await api.store.message(self._client_id, item.request.message_id)
        if row and bytes(row["fingerprint"]) == item.request.fingerprint:
            item.refusal, item.duplicate, item.channel = None, True, row["channel"]

    def _judged(self, verdicts: list[Verdict]) -> Remembered | None:
        """What to keep under the key: an answer that took something. What failed as a whole may be mended and tried
        again."""
        for item, verdict in zip(self._offered, verdicts, strict=True):
            item.judge(verdict)
        if self._key is None or not self._some():
            return None
        return Remembered(self._client_id, self._key, self._mark, 202, self._body(), self._many)

    def answer(self) -> Response:
        """The answer. Raises Problem where nothing was taken."""
        if self._some():
            return Response(self._body(), 202, media_type="application/json")
        if not self._many and (refusal := self.items[0].refusal):
            raise refusal.problem()
        raise Problem(422, "None of the messages was taken.", **self._told())

    def _some(self) -> bool:
        return any(item.refusal is None for item in self.items)

    def _told(self) -> dict[str, Any]:
        told = [item.told() for item in self.items]
        return {"messages": told} if self._many else told[0]

    def _body(self) -> bytes:
        return write(self._told())


@contextmanager
def _place(api: Api) -> Iterator[None]:
    """Room for one more request. Raises Problem 429 where there is none."""
    if api.accepting >= api.settings.sending.accepting:
        raise Problem(429, "Too many requests for messages at once: ask again.", headers=AGAIN)
    api.accepting += 1
    try:
        yield
    finally:
        api.accepting -= 1
