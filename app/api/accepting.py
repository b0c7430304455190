"""Accepts the messages of concurrent requests in few transactions, since one costs much the same for 1 message as for
50."""

import asyncio
from collections import deque
from dataclasses import dataclass

from app.api.taken import Taken
from sql import Accepted, EventStore, InFlight, KeptAnswer, KeyTaken
from sql.errors import DATA_ERRORS
from sql.tenants import acting
from webhooks.cancelled import pass_on

#: Most messages of one transaction, and concurrent transactions: the next is prepared while one is written.
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
        #: Tasks that will take further offers. Each removes itself: a done callback would run later, after the task has
        #: found the queue empty, and a new offer would then start no task.
        self._writing: set[asyncio.Task[None] | None] = set()

    async def accept(self, request: Taken, *, alone: bool) -> None:
        """Write a request's messages and the answer to keep, both or neither; durable on return. `alone`: in a
        transaction of their own, because they are large. Raises what `EventStore.accept` raises, for this request
        only."""
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
            if not offer.done.done():  # otherwise its caller has disconnected
                offers.append(offer)
                room -= len(offer.request.messages)
        return offers

    async def _write(self, offers: list[_Offer]) -> None:
        """Write them together; if the store refuses one, write each alone, so that one fails alone."""
        messages = [message for offer in offers for message in offer.request.messages]

        def answers(accepted: list[Accepted]) -> list[KeptAnswer]:
            found, first = [], 0
            for offer in offers:
                places = range(first, first + len(offer.request.messages))
                first = places.stop
                answer = offer.request.judge([accepted[place] for place in places])
                if answer is not None:
                    found.append(answer._replace(places=places))
            return found

        try:
            with acting({offer.request.client_id for offer in offers}):
                await self._store.accept(messages, answers)
        except Exception as error:
            if len(offers) > 1 and isinstance(error, (*DATA_ERRORS, InFlight, KeyTaken)):
                for offer in offers:
                    await self._write([offer])
                return
            for offer in offers:
                if not offer.done.done():
                    offer.done.set_exception(error)
            pass_on(error)
        else:
            for offer in offers:
                if not offer.done.done():
                    offer.done.set_result(None)
