"""Accepts the messages of concurrent requests in few transactions: one costs much the same for one message as for fifty."""

import asyncio
from collections import deque
from dataclasses import dataclass
from itertools import islice

from app.api.taken import Taken
from sql import Accepted, EventStore, InFlight, KeptAnswer, KeyTaken
from sql.errors import DATA_ERRORS

#: Messages of one transaction; transactions at a time, so that the next is prepared while one is written.
MOST, AT_ONCE = 200, 2


@dataclass(slots=True)
class _Offer:
    """One request; `done` once its messages are on disk."""

    request: Taken
    done: asyncio.Future[None]


class Accepting:
    """The queue of one process. Requests that come during a transaction share the next, in their order."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: deque[_Offer] = deque()
        #: Tasks that will look for more. Each removes itself: a callback would leave one here that has looked already.
        self._writing: set[asyncio.Task[None] | None] = set()

    async def accept(self, request: Taken, *, alone: bool) -> None:
        """Write a request's messages and the answer to keep: both or neither. Durable on return. `alone`: in a transaction of
        their own, as they are large. Raises as `EventStore.accept`, for this request alone."""
        offer = _Offer(request, asyncio.get_running_loop().create_future())
        if alone:
            await self._write([offer])
        else:
            self._waiting.append(offer)
        if self._waiting and len(self._writing) < AT_ONCE:
            self._writing.add(asyncio.create_task(self._work()))
        await offer.done

    async def _work(self) -> None:
        try:
            while offers := self._next():
                await self._write(offers)
        finally:
            self._writing.discard(asyncio.current_task())

    def _next(self) -> list[_Offer]:
        offers: list[_Offer] = []
        room = MOST
        while self._waiting and (not offers or len(self._waiting[0].request.messages) <= room):
            offer = self._waiting.popleft()
            if not offer.done.done():  # else its caller has gone away
                offers.append(offer)
                room -= len(offer.request.messages)
        return offers

    async def _write(self, offers: list[_Offer]) -> None:
        """Write them together; if the store refuses one, write each alone, so that one fails alone."""
        messages = [message for offer in offers for message in offer.request.messages]

        def answers(accepted: list[Accepted]) -> list[KeptAnswer]:
            each = iter(accepted)
            kept = (offer.request.judge([*islice(each, len(offer.request.messages))]) for offer in offers)
            return [answer for answer in kept if answer is not None]

        try:
            await self._store.accept(messages, answers)
        except Exception as error:
            if len(offers) > 1 and isinstance(error, (*DATA_ERRORS, InFlight, KeyTaken)):
                for offer in offers:
                    await self._write([offer])
                return
            for offer in offers:
                if not offer.done.done():
                    offer.done.set_exception(error)
        else:
            for offer in offers:
                if not offer.done.done():
                    offer.done.set_result(None)
