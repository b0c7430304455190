"""Posts the due deliveries of one client to its callback, within a limit that adapts, and records their outcomes.

The limit: one at a time while the callback fails, one more with each success up to its `concurrency`, and half after a failure.
So an endpoint that recovers is not flooded by what it missed.
"""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from agents.telling import tracing
from agents.telling.metrics import NotificationMetrics
from agents.transport import AddressRefused, NoAnswer, Transport
from app.clients.callbacks import ClientCallbacks
from sql import EventStore
from sql.deliveries import DeliveryOutcome
from webhooks.cancelled import pass_on
from webhooks.subscribers import PATIENCE, judge, pause_after, request_of

log = structlog.get_logger(__name__)

#: Seconds for one try, its answer included.
TIMEOUT = 15.0
#: Seconds for which outcomes gather: to write twenty costs little more than to write one.
GATHER = 0.01
#: Most bytes of an answer that are read, so that the connection can be used again; none is kept.
ANSWER = 16 << 10
#: The lease of a claimed delivery: longer than a try can take.
LEASE = timedelta(seconds=60)
#: Most tries at once to callbacks that work, in one process. When it is reached, each client still has its equal share,
#: at least one.
MOST = 384
_ERROR = 200

#: The outcome of a try, and the word it is counted under.
Try = tuple[DeliveryOutcome, str]


class Slots:
    """How many tries at once each client may make."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.clients: set[ClientDeliveries] = set()

    def count(self, *, failing: bool) -> int:
        """Return the number of clients whose callbacks fail, or, if `failing` is False, work."""
        return sum(each.failing is failing for each in self.clients)

    def left(self, client: "ClientDeliveries") -> int:
        """Return how many tries a client may start now: up to its limit, and no more than its share if the process is
        at its own limit."""
        if client.failing:
            return 1 - client.in_use
        working = [each for each in self.clients if not each.failing]
        room = self._most - sum(each.in_use for each in working)
        share = max(1, self._most // max(1, len(working))) - client.in_use
        return min(client.limit - client.in_use, max(room, share))


class ClientDeliveries:
    """The deliveries of one client. `run` ends once none is due and none is under way."""

    def __init__(
        self,
        client: str,
        store: EventStore,
        callbacks: ClientCallbacks,
        transport: Transport,
        metrics: NotificationMetrics,
        slots: Slots,
    ) -> None:
        self.client, self.failing = client, False
        self.trying: set[asyncio.Task[Try]] = set()
        self._store, self._callbacks, self._transport, self._metrics = store, callbacks, transport, metrics
        self._slots = slots
        self._woken = asyncio.Event()
        #: How many tries at once are allowed (0: not known yet), and slots that are reserved during a claim.
        self.limit = self._reserved = 0

    @property
    def in_use(self) -> int:
        """The slots that it uses."""
        return len(self.trying) + self._reserved

    @property
    def full(self) -> bool:
        """Whether it can start no more tries now."""
        return self._slots.left(self) < 1

    def wake(self) -> None:
        """Look again: a delivery is due."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until nothing more is due. Raises NoKey or Tampered (`sql.sealing`) where nothing can be signed, and
        psycopg's errors."""
        try:
            while (callback := await self._callbacks.of(self.client)) is not None and callback["disabled_at"] is None:
                await self._begin(callback)
                if not self.trying:
                    return
                await self._wait()
                done = {task for task in self.trying if task.done()}
                if done:
                    self.trying -= done
                    await self._settle(callback, [task.result() for task in done])
            if callback is None:
                await self._callbacks.removed(self.client)
            await self._store.quiet_callback(self.client)
            if self.trying:  # the outcomes of tries that began before it was disabled
                await asyncio.wait(self.trying)
                done, self.trying = self.trying, set()
                await self._store.settle_deliveries(
                    self.client, "", [task.result()[0] for task in done], gone=False, patience=PATIENCE
                )
        finally:
            for task in self.trying:
                task.cancel()
            await asyncio.gather(*self.trying, return_exceptions=True)

    async def _begin(self, callback: Mapping[str, Any]) -> None:
        """Start as many tries as there are slots left."""
        secrets = await self._callbacks.secrets(self.client)
        self.failing, most = callback["failing_since"] is not None, callback["concurrency"]
        self.limit = 1 if self.failing else min(self.limit, most) or most
        self._woken.clear()
        if (left := self._slots.left(self)) < 1:
            return
        self._reserved = left
        try:
            rows = await self._store.claim_deliveries(self.client, left, LEASE)
        finally:
            self._reserved = 0
        for row in rows:
            self.trying.add(asyncio.create_task(self._try(row, callback["url"], secrets)))

    async def _wait(self) -> None:
        """Return shortly after a try has ended, so that others can end too, or once a delivery is due (`wake`)."""
        woken = asyncio.create_task(self._woken.wait())
        try:
            await asyncio.wait({*self.trying, woken}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            woken.cancel()
            with suppress(asyncio.CancelledError):
                await woken
        if not self._woken.is_set():
            await asyncio.sleep(GATHER)

    async def _settle(self, callback: Mapping[str, Any], tries: list[Try]) -> None:
        outcomes, words = [outcome for outcome, _ in tries], [word for _, word in tries]
        self._metrics.outcomes.update(words)
        delivered = words.count("delivered")
        if delivered < len(tries):
            self.limit = max(1, self.limit // 2)
        else:
            self.limit += delivered
        disabled = await self._store.settle_deliveries(
            self.client, callback["url"], outcomes, gone="gone" in words, patience=PATIENCE
        )
        if disabled:
            log.warning("callback disabled", client=self.client, reason=disabled)

    async def _try(self, row: Mapping[str, Any], url: str, secrets: list[tuple[int, bytes]]) -> Try:
        """Post one delivery. Raises nothing but CancelledError."""
        answer, error, word = None, None, "unanswered"
        try:
            request = request_of(row, url, [secret for _, secret in secrets], datetime.now(UTC))
            with tracing.calling_back(row["trace"], request) as tried:
                async with asyncio.timeout(TIMEOUT):
                    answer = await self._transport.carry(request, {}, trusted=False)
                tried.answered(answer.status)
        except Exception as failure:  # whatever it was: this try has failed, and is repeated
            pass_on(failure)
            error = _worded(failure)
            word = "refused" if isinstance(failure, AddressRefused) else word
        else:
            word = judge(answer.status)
        delivered = word == "delivered"
        if answer is not None and not delivered:
            error = f"answered {answer.status}"
        pause = None if delivered else pause_after(row["attempts"], random.random(), answer)  # noqa: S311  # jitter
        status = None if answer is None else answer.status
        outcome = DeliveryOutcome(row["event_id"], row["due_at"], delivered, status, error, pause, secrets[0][0])
        return outcome, word


def _worded(failure: Exception) -> str:
    """Return an error in words for the client, without the addresses that a name has inside the operator's network."""
    if isinstance(failure, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(failure, NoAnswer):
        return str(failure).partition("\n")[0][:_ERROR]
    log.error("a delivery cannot be made", error=type(failure).__name__, exc_info=failure)
    return f"a fault of the service: {type(failure).__name__}"
