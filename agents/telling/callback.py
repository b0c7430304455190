"""One client's callback while something is due to it: its deliveries are posted, as many at once as it bears, and what came
of them is written down.

What it bears is learned: from one at a time while it fails, one more with each success up to what the callback allows, and
half after a failure. So an endpoint that comes back is not flooded by what it missed.
"""

import asyncio
import random
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from agents.telling.metrics import NotificationMetrics
from agents.transport import AddressRefused, NoAnswer, Transport
from app.clients.callbacks import Callbacks
from sql import EventStore
from sql.deliveries import DeliveryOutcome
from webhooks.subscribers import PATIENCE, judge, pause_after, request_of

log = structlog.get_logger(__name__)

#: Seconds for one try, its answer included.
TIMEOUT = 15.0
#: Seconds for which outcomes gather before they are written: a statement for twenty costs little more than one for one.
GATHER = 0.01
#: Bytes of an answer that are read, to leave the connection in order; none is kept.
ANSWER = 16 << 10
#: How long deliveries are taken for: longer than a try can take.
LEASE = timedelta(seconds=60)
#: Tries of callbacks that do not fail that one process makes at once; above it each client has its share, and at least one.
MOST = 384
_ERROR = 200

Tried = tuple[DeliveryOutcome, str]


class Slots:
    """Who of the clients being served may make how many tries at once."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.served: set[ClientDeliveries] = set()

    def count(self, *, failing: bool) -> int:
        """How many clients are served whose callbacks fail, or do not."""
        return sum(each.failing is failing for each in self.served)

    def left(self, serving: "ClientDeliveries") -> int:
        """How many tries a client may begin now: those that its callback bears; where all together are many, its share."""
        if serving.failing:
            return 1 - serving.held
        others = [each for each in self.served if not each.failing]
        room = self._most - sum(each.held for each in others)
        share = max(1, self._most // max(1, len(others))) - serving.held
        return min(serving.pace - serving.held, max(room, share))


class ClientDeliveries:
    """The deliveries of one client. `run` ends once nothing is due and nothing is under way."""

    def __init__(
        self,
        client: str,
        store: EventStore,
        callbacks: Callbacks,
        transport: Transport,
        metrics: NotificationMetrics,
        slots: Slots,
    ) -> None:
        self.client, self.failing = client, False
        self.flying: set[asyncio.Task[Tried]] = set()
        self._store, self._callbacks, self._transport, self._metrics = store, callbacks, transport, metrics
        self._slots = slots
        self._stirred = asyncio.Event()
        #: How many tries at once the callback bears; 0 until it is known. And places that are kept while a claim is made.
        self.pace = self._kept = 0

    @property
    def held(self) -> int:
        """Slots that are its own now."""
        return len(self.flying) + self._kept

    @property
    def full(self) -> bool:
        """Whether it can begin nothing more now, whatever is due."""
        return self._slots.left(self) < 1

    def stir(self) -> None:
        """Something is due."""
        self._stirred.set()

    async def run(self) -> None:
        """Deliver until nothing more is due. Raises NoKey or Tampered (`app.clients.seal`) where nothing can be signed,
        and the database's errors."""
        try:
            while (callback := await self._callbacks.of(self.client)) is not None and callback["disabled_at"] is None:
                await self._begin(callback)
                if not self.flying:
                    return
                await self._wait()
                done = {task for task in self.flying if task.done()}
                if done:
                    self.flying -= done
                    await self._settle(callback, [task.result() for task in done])
            if callback is None:
                await self._callbacks.removed(self.client)
            await self._store.quiet_callback(self.client)
            if self.flying:  # what was begun while it was enabled is written down too
                await asyncio.wait(self.flying)
                done, self.flying = self.flying, set()
                await self._store.settle_deliveries(
                    self.client, "", [task.result()[0] for task in done], gone=False, patience=PATIENCE
                )
        finally:
            for task in self.flying:
                task.cancel()
            await asyncio.gather(*self.flying, return_exceptions=True)

    async def _begin(self, callback: Mapping[str, Any]) -> None:
        """Begin as many tries as there is room for."""
        secrets = await self._callbacks.secrets(self.client)
        self.failing, most = callback["failing_since"] is not None, callback["concurrency"]
        self.pace = 1 if self.failing else min(self.pace, most) or most
        self._stirred.clear()
        if (left := self._slots.left(self)) < 1:
            return
        self._kept = left
        try:
            rows = await self._store.claim_deliveries(self.client, left, LEASE)
        finally:
            self._kept = 0
        for row in rows:
            self.flying.add(asyncio.create_task(self._try(row, callback["url"], secrets)))

    async def _wait(self) -> None:
        """Return once a try has ended, with those that end shortly after, or once something is due that there is room for."""
        stirred = asyncio.create_task(self._stirred.wait())
        try:
            await asyncio.wait({*self.flying, stirred}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stirred.cancel()
            with suppress(asyncio.CancelledError):
                await stirred
        if not self._stirred.is_set():
            await asyncio.sleep(GATHER)

    async def _settle(self, callback: Mapping[str, Any], tries: list[Tried]) -> None:
        outcomes, verdicts = [outcome for outcome, _ in tries], [verdict for _, verdict in tries]
        self._metrics.outcomes.update(verdicts)
        delivered = verdicts.count("delivered")
        if delivered < len(tries):
            self.pace = max(1, self.pace // 2)
        else:
            self.pace += delivered
        disabled = await self._store.settle_deliveries(
            self.client, callback["url"], outcomes, gone="gone" in verdicts, patience=PATIENCE
        )
        if disabled:
            log.warning("callback disabled", client=self.client, reason=disabled)

    async def _try(self, row: Mapping[str, Any], url: str, secrets: list[tuple[int, bytes]]) -> Tried:
        """Post one; returns what came of it, and the word it is counted under. Raises nothing but cancellation."""
        answer, error, verdict = None, None, "unanswered"
        try:
            request = request_of(row, url, [secret for _, secret in secrets], datetime.now(UTC))
            async with asyncio.timeout(TIMEOUT):
                answer = await self._transport.carry(request, {}, trusted=False)
        except Exception as failure:  # whatever it was, this try has failed, and there will be another
            error = _worded(failure)
            verdict = "refused" if isinstance(failure, AddressRefused) else verdict
        else:
            verdict = judge(answer.status)
        delivered = verdict == "delivered"
        if answer is not None and not delivered:
            error = f"answered {answer.status}"
        pause = None if delivered else pause_after(row["attempts"], random.random(), answer)  # noqa: S311  # jitter
        status = None if answer is None else answer.status
        outcome = DeliveryOutcome(row["event_id"], row["due_at"], delivered, status, error, pause, secrets[0][0])
        return outcome, verdict


def _worded(failure: Exception) -> str:
    """In words that the client may read, which is not told what a name resolved to inside the operator's network."""
    if isinstance(failure, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(failure, NoAnswer):
        return str(failure).partition("\n")[0][:_ERROR]
    log.error("a delivery cannot be made", error=type(failure).__name__, exc_info=failure)
    return f"a fault of the service: {type(failure).__name__}"
