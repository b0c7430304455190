"""Takes what concurrent requests ask for in few transactions: one costs much the same for one message as for fifty."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from app.sending.incoming import Incoming
from sql import EventStore, InFlight, KeyTaken, Remembered, Verdict
from sql.errors import DATA_ERRORS

#: Messages of one transaction; transactions at a time, so that the next is made ready while one is written.
MOST, AT_ONCE = 200, 2

Judge = Callable[[list[Verdict]], Remembered | None]


@dataclass(slots=True)
class _Offer:
    """What one request asks for; `taken` is done once that is on disk."""

    incoming: Incoming
    judge: Judge
    taken: asyncio.Future[None]


class Accepting:
    """Of one process. What comes while transactions are under way waits for the next, in its order."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: deque[_Offer] = deque()
        #: Tasks that will look for more. Each leaves by itself: a callback would leave one here that has looked already.
        self._writing: set[asyncio.Task[None] | None] = set()

    async def accept(self, incoming: Incoming, judge: Judge, *, alone: bool) -> None:
        """Write these down, and what `judge` makes of the verdicts on them (in their order; it may be asked twice):
        both or neither. Durable on return. `alone`: in a transaction of their own, as they are large.
        Raises as `EventStore.accept`, for these alone."""
        offer = _Offer(incoming, judge, asyncio.get_running_loop().create_future())
        if alone:
            await self._write([offer])
        else:
            self._waiting.append(offer)
        if self._waiting and len(self._writing) < AT_ONCE:
            self._writing.add(asyncio.create_task(self._work()))
        await offer.taken

    async def _work(self) -> None:
        try:
            while offers := self._next():
                await self._write(offers)
        finally:
            self._writing.discard(asyncio.current_task())

    def _next(self) -> list[_Offer]:
        offers: list[_Offer] = []
        room = MOST
        while self._waiting and (not offers or len(self._waiting[0].incoming.messages) <= room):
            offer = self._waiting.popleft()
            if not offer.taken.done():  # else its request was given up meanwhile
                offers.append(offer)
                room -= len(offer.incoming.messages)
        return offers

    async def _write(self, offers: list[_Offer]) -> None:
        """One that cannot be written stands alone in the end, and fails alone."""
        whole = Incoming()
        for offer in offers:
            whole.join(offer.incoming)

        def judged(verdicts: list[Verdict]) -> list[Remembered]:
            each = iter(verdicts)
            told = (offer.judge([*islice(each, len(offer.incoming.messages))]) for offer in offers)
            return [one for one in told if one is not None]

        try:
            await self._store.accept(whole.messages, whole.lanes, whole.rows, judged)
        except Exception as error:
            if len(offers) > 1 and isinstance(error, (*DATA_ERRORS, InFlight, KeyTaken)):
                for offer in offers:
                    await self._write([offer])
                return
            for offer in offers:
                if not offer.taken.done():
                    offer.taken.set_exception(error)
        else:
            for offer in offers:
                if not offer.taken.done():
                    offer.taken.set_result(None)
