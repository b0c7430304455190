"""POST /v1/messages and /v1/{channel}/messages: services request 1 to 50 messages in a call.

202 means that they are stored: each will be sent, or its failure reported.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from opentelemetry import trace
from psycopg.errors import UniqueViolation
from starlette.requests import Request
from starlette.responses import Response

from app.api import idempotency
from app.api.batch import Item, documents_of, items_of
from app.api.parameters import read
from app.api.payload import json_of
from app.api.service import Api, api_of, caller
from app.api.taken import Taken
from app.clients.configured import Client, UnknownClient
from app.http.problems import Problem
from app.sending.incoming import new_message, traced
from app.sending.requests import Request as Asked
from schemas.events import CHANNELS, Error
from sql import InFlight, KeyTaken
from webhooks.spans import traceparent_of

#: Most bytes of a body; bytes above which it is read in a thread; most seconds for accepting it.
MOST, LARGE, PATIENCE = 1 << 20, 32 << 10, 10.0
#: Headers of a temporary refusal.
AGAIN = {"retry-after": "1"}


async def messages(request: Request) -> Response:
    """Accept messages, by the channels that they name or else the client's. Raises Problem."""
    return await _answer(request, None)


async def channel_messages(request: Request) -> Response:
    """Accept messages by one channel. Raises Problem."""
    channel = request.path_params["channel"]
    if channel not in CHANNELS:
        raise Problem(404, f"There is no such channel. The channels: {', '.join(CHANNELS)}.")
    return await _answer(request, channel)


async def _answer(request: Request, channel: str | None) -> Response:
    client_id = caller(request).client
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
                await _take(api, taken, client_id, alone=large)
                return taken.answer()
        except InFlight as error:
            raise idempotency.in_flight() from error
        except KeyTaken as error:
            raise idempotency.taken() from error
        except UniqueViolation as error:
            # A request with the same key was answered while this one waited for the lock on the same messages.
            if key and (known := await idempotency.replay(api.store, client_id, key, mark)):
                return known
            raise idempotency.in_flight() from error
        except TimeoutError as error:
            raise Problem(503, "The store is slow: ask again.", headers=AGAIN) from error


def _large(request: Request) -> bool:
    """Return whether a body is so large that validating it may take seconds; it is then read in a thread."""
    length = request.headers.get("content-length", "")
    return not length.isdecimal() or int(length) > LARGE


async def _each(items: Iterator[Item]) -> list[Item]:
    """Return the messages. Yield to the event loop after each refused one, since its error took long to find."""
    found = []
    for item in items:
        found.append(item)
        if item.refusal is not None:
            await asyncio.sleep(0)
    return found


async def _take(api: Api, taken: Taken, client_id: str, *, alone: bool) -> None:
    """Accept the messages that can be sent. `alone` and errors as for `Accepting.accept`."""
    at = datetime.now(UTC)
    client: Client | str
    try:
        client = await api.clients.client(client_id)
    except UnknownClient as error:
        client = str(error)
    for item in taken.items:
        if item.request is None:
            continue
        if isinstance(client, str):
            item.refuse(422, "$", client)
        elif isinstance(message := new_message(item.request, client, at), Error):
            item.unroutable(message)
        else:
            taken.offer(item, traced(message, traceparent_of(trace.get_current_span())))
            continue
        await _seen(api, client_id, item, item.request)
    if taken.messages:
        await api.taking.accept(taken, alone=alone)


async def _seen(api: Api, client_id: str, item: Item, asked: Asked) -> None:
    """Mark a refused message as a duplicate if it was accepted before: only the present configuration has no route for
    it."""
    row = await api.store.taken_before(client_id, asked.message_id, asked.key, asked.fingerprint)
    if row is not None:
        item.refusal, item.duplicate, item.channel, item.message_id = None, True, row["channel"], row["message_id"]


@contextmanager
def _place(api: Api) -> Iterator[None]:
    """Count one more request while it is in progress. Raises Problem 429 if there are too many."""
    if api.accepting >= api.settings.sending.accepting:
        raise Problem(429, "Too many requests for messages at once: ask again.", headers=AGAIN)
    api.accepting += 1
    try:
        yield
    finally:
        api.accepting -= 1
