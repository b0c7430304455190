"""Sends due messages: claims them, decides, records each attempt, calls providers, and records the outcomes.

Claims, calls and settlements overlap: while providers answer, the next messages are claimed, and the outcomes that have
gathered are written in one transaction. The messages of a worker that dies are claimed again when their lease ends.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any

import structlog

from agents.failures import until_done
from agents.health import WorkerHealth
from agents.sender.calls import Call, Carry, make, settled
from agents.sender.claimed import Settlement
from agents.sender.deciding import Deciding, cancelled
from agents.sender.gathering import gathered
from agents.sender.lookups import Lookup
from agents.sender.observing import CallMetrics, Observed
from agents.sender.settling import Settling
from agents.transport.fence import clock
from agents.transport.oauth import Tokens
from app.clients.configured import Clients
from app.settings import Sending
from sql import EventStore

log = structlog.get_logger()

#: Seconds between claims while nothing happens; and seconds for which finished calls gather before a claim, since to
#: claim twenty messages costs little more than to claim one.
IDLE, LINGER = 0.2, 0.015


class Due:
    """The sending half of a worker."""

    def __init__(
        self, store: EventStore, clients: Clients, carry: Carry, tokens: Tokens, health: WorkerHealth, settings: Sending
    ) -> None:
        self.store, self.health, self._carry = store, health, carry
        self.most, self.lease, self._timeout = settings.concurrency, settings.lease, settings.timeout
        self._metrics = CallMetrics(health)
        self._busy: Counter[str] = Counter()
        self._calls: set[asyncio.Task[None]] = set()
        self._answered: list[Observed] = []
        self._settling = Settling(store, health)
        self._deciding = Deciding(clients, tokens, self._settling.lanes, health)
        self._woken = asyncio.Event()
        self._ended = False

    def wake(self) -> None:
        """Claim soon: there may be something to send."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled. Then finish: make the calls whose attempts are recorded, and record their outcomes."""
        self._ended = False
        claiming, settling = asyncio.create_task(self._claiming()), asyncio.create_task(self._settling.run())
        try:
            await asyncio.shield(asyncio.gather(claiming, settling))
        finally:
            self._ended = True
            self._woken.set()
            await asyncio.wait([claiming])
            while self._calls:
                await asyncio.wait(self._calls)
            self._conclude()
            self._settling.end()
            await asyncio.wait([settling])

    async def _claiming(self) -> None:
        self._woken.set()
        while not self._ended:
            woken = self._woken.is_set()
            self._woken.clear()
            free, busy = self.most - self._busy.total(), dict(self._busy)
            if free > 0:
                # A claim is expensive even if nothing is due. So a cheap statement looks first, unless something woke the sender.
                due = woken or await until_done("database", self.store.claimable, self.health)
                rows = await until_done("database", lambda: self._claim(free, busy), self.health) if due else []  # noqa: B023
                self.health.works("sending")
                await self._work(rows)
                if len(rows) == free:
                    self._woken.set()
                    continue
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE):
                    await self._woken.wait()
            if self._calls and not self._ended:
                await asyncio.sleep(LINGER)

    async def _claim(self, most: int, busy: dict[str, int]) -> list[dict[str, Any]]:
        """Claim rows; each has `until`, a time of our clock at which its lease still holds."""
        until = clock() + self.lease  # from before the claim: the store's lease begins later
        return [row | {"until": until} for row in await self.store.claim(most, self.lease, busy)]

    async def _work(self, rows: list[dict[str, Any]]) -> None:
        """Decide for each row; record an attempt for each call, then make the calls."""
        # The outcomes of these messages' calls could not be written. They are looked at again after their lease.
        clients = {row["client_id"] for row in rows}
        for client in await until_done("database", lambda: self.store.locked_clients(clients), self.health):
            log.error("nothing is sent for a client: its pepper cannot be decrypted by secrets.keys", client=client)
            rows = [row for row in rows if row["client_id"] != client]
        for row in rows:
            if "closed" in row:
                log.error(
                    "a message cannot be decrypted, and is not sent", client=row["client_id"], message=row["message_id"]
                )
        rows = [row for row in rows if "closed" not in row]
        lanes: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            lanes.setdefault(str(row["lane"]), []).append(row)
        calls: list[Call] = []
        # A task for each lane, not for each message, which would cost as much as its decision; an account that waits for its
        # access token delays only its own messages.
        for made in chain.from_iterable(await asyncio.gather(*map(self._deciding.decide_all, lanes.values()))):
            if isinstance(made, Call):
                calls.append(made)
            elif isinstance(made, Lookup):
                self._begin([made], self._ask(made))
            else:
                self._settling.add(made)
        if not calls:
            return
        attempts = [call.attempt for call in calls]
        allowed = await until_done("database", lambda: self.store.begin(attempts), self.health)
        for call in calls:
            if allowed.get(call.claimed.id) is False:  # else it would wait until its lease ends
                self._settling.add(cancelled(call))
        for together in gathered([call for call in calls if allowed.get(call.claimed.id)]):
            self._begin(together, self._call(together))

    def _begin(self, made: Sequence[Call | Lookup], work: Coroutine[Any, Any, None]) -> None:
        for each in made:
            self._busy[each.claimed.lane] += 1
        task = asyncio.create_task(self._finish(made, work))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _finish(self, made: Sequence[Call | Lookup], work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        finally:
            for each in made:
                if self._busy[each.claimed.lane] > 1:
                    self._busy[each.claimed.lane] -= 1
                else:
                    del self._busy[each.claimed.lane]
            self._woken.set()

    async def _ask(self, lookup: Lookup) -> None:
        for settlement in await lookup.ask(self._carry):
            self._settling.add(settlement)

    async def _call(self, together: Sequence[Call]) -> None:
        observed = await self._metrics.observe(together, make(together, self._carry, self._timeout))
        if not self._answered:
            asyncio.get_running_loop().call_soon(self._conclude)
        self._answered.append(observed)

    def _conclude(self) -> None:
        """Settle the calls that were answered together: all take one step before any takes the next, which costs less."""
        observed, self._answered = self._answered, []
        concluded: list[tuple[Observed, list[Settlement]]] = []
        for each in observed:
            try:
                concluded.append((each, settled(each.answered)))
            except Exception:  # a fault of ours: its message is looked at again after its lease
                log.exception("what follows from a call cannot be decided", account=each.answered.calls[0].account.name)
        for each, settlements in concluded:
            self._metrics.count(each, settlements)
        for _, settlements in concluded:
            for settlement in settlements:
                self._settling.add(settlement)
