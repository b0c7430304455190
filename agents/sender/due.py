"""Sends what is due: claims messages, decides, writes each attempt down, calls providers, and writes down what came of it.

Claims, calls and settlements overlap: while providers answer, the next messages are claimed and the last ones' outcomes
are written in one transaction for all that came meanwhile. A worker that dies leaves rows whose lease ends.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

from agents.failures import until_done
from agents.health import Health
from agents.sender.calls import Call, Carry, make
from agents.sender.deciding import Deciding, cancelled
from agents.sender.gathering import gathered
from agents.sender.lookups import Lookup
from agents.sender.settling import Settling
from agents.transport.fence import clock
from agents.transport.oauth import Tokens
from app.clients.configured import Clients
from app.sending.claimed import Result
from app.sending.settings import Sending
from sql import EventStore

#: Seconds between looks for due messages while nothing stirs, and for which freed places gather before a claim: a claim
#: for twenty costs little more than one for one.
IDLE, LINGER = 0.2, 0.015


class Due:
    """The sending half of a worker."""

    def __init__(
        self, store: EventStore, clients: Clients, carry: Carry, tokens: Tokens, health: Health, settings: Sending
    ) -> None:
        self.store, self.health, self._carry = store, health, carry
        self.most, self.lease, self._timeout = settings.concurrency, settings.lease, settings.timeout
        self._busy: Counter[str] = Counter()
        self._calls: set[asyncio.Task[None]] = set()
        self._settling = Settling(store, health)
        self._deciding = Deciding(clients, tokens, self._settling.lanes, health)
        self._stirred = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """There may be something to send."""
        self._stirred.set()

    async def run(self) -> None:
        """Work until cancelled; then finish what was begun: an attempt that is written down is made, and what comes of it
        is written down too."""
        self._ended = False
        claiming, settling = asyncio.create_task(self._claiming()), asyncio.create_task(self._settling.run())
        try:
            await asyncio.shield(asyncio.gather(claiming, settling))
        finally:
            self._ended = True
            self._stirred.set()
            await asyncio.wait([claiming])
            while self._calls:
                await asyncio.wait(self._calls)
            self._settling.end()
            await asyncio.wait([settling])

    async def _claiming(self) -> None:
        while not self._ended:
            self._stirred.clear()
            free, busy = self.most - self._busy.total(), dict(self._busy)
            if free > 0:
                rows = await until_done("database", lambda: self._claim(free, busy), self.health)  # noqa: B023
                self.health.works("sending")
                await self._work(rows)
                if len(rows) == free:
                    continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stirred.wait(), IDLE)
            if self._calls and not self._ended:
                await asyncio.sleep(LINGER)

    async def _claim(self, most: int, busy: dict[str, int]) -> list[dict[str, Any]]:
        """Rows, each with the time of our clock (`until`) by which its lease is surely not over yet."""
        until = clock() + self.lease  # before it is asked for: the store counts from later
        return [row | {"until": until} for row in await self.store.claim(most, self.lease, busy)]

    async def _work(self, rows: list[dict[str, Any]]) -> None:
        """Decide for each; what is to be sent is written down as an attempt, then called."""
        lanes: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            lanes.setdefault(str(row["lane"]), []).append(row)
        calls: list[Call] = []
        # Lane by lane, as a task for each message costs as much as its decision; an account that waits for its access
        # token holds up none but its own.
        for made in chain.from_iterable(await asyncio.gather(*map(self._deciding.decide_all, lanes.values()))):
            if isinstance(made, Call):
                calls.append(made)
            elif isinstance(made, Lookup):
                self._begin([made], made.put(self._carry))
            else:
                self._settling.add(made)
        if not calls:
            return
        attempts = [call.attempt for call in calls]
        allowed = await until_done("database", lambda: self.store.begin(attempts), self.health)
        for call in calls:
            if allowed.get(call.claimed.id) is False:  # nobody else would look at it before its lease is over
                self._settling.add(cancelled(call))
        for together in gathered([call for call in calls if allowed.get(call.claimed.id)]):
            self._begin(together, make(together, self._carry, self._timeout))

    def _begin(self, made: Sequence[Call | Lookup], call: Coroutine[Any, Any, list[Result]]) -> None:
        lanes = Counter(each.claimed.lane for each in made)
        self._busy += lanes
        task = asyncio.create_task(self._finish(lanes, call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _finish(self, lanes: Counter[str], call: Coroutine[Any, Any, list[Result]]) -> None:
        try:
            results = await call
        finally:
            self._busy -= lanes
            self._stirred.set()
        for result in results:
            self._settling.add(result)
