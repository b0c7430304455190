"""Tells clients of their messages: takes deliveries that are due, posts each to its client's callback, and writes down
what came of it.

A client's deliveries go by themselves, a few at once, so that one whose callback hangs holds up nobody else's; one whose
callback fails is tried with one at a time. Of a message the events are told in the log's order. A worker that dies leaves
its deliveries to be taken again when their lease ends: a callback may be told twice, which its `webhook-id` shows.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from agents.telling import Telling
from agents.transport import AddressRefused, NoAnswer, Transport
from app.callbacks import Callbacks
from sql import EventStore
from sql.deliveries import Outcome
from webhooks.subscribers import PATIENCE, judge, pause_after, request_of

log = structlog.get_logger(__name__)

#: Seconds between looks for what is due, and between rounds of forgetting.
POLL = 0.25
FORGET_EVERY = 3600.0
#: Clients served at once, and deliveries of one of them at once: both together bound the connections.
CLIENTS, EACH = 32, 8
#: Seconds for one try, its answer included.
TIMEOUT = 15.0
#: Seconds for which a client that cannot be served is let be.
REST = 5.0
#: Bytes of an answer that are read, to leave the connection in order; none is kept.
ANSWER = 16 << 10
#: How long deliveries are taken for: longer than a try can take.
LEASE = timedelta(seconds=60)
_ERROR = 200


class Deliverer:
    """The deliveries of this process."""

    def __init__(
        self, store: EventStore, callbacks: Callbacks, transport: Transport, telling: Telling, retain: timedelta
    ) -> None:
        self._store, self._callbacks, self._transport, self._telling = store, callbacks, transport, telling
        self._retain = retain
        self._serving: dict[str, asyncio.Task[None]] = {}
        #: Clients that could not be served, and until when they are let be (the loop's clock).
        self._resting: dict[str, float] = {}

    async def run(self) -> None:
        """Deliver for ever. Raises what ends it (see `failures.keep_on`); what was begun is ended with it."""
        forgotten = float("-inf")
        try:
            while True:
                await self._look()
                if (now := asyncio.get_running_loop().time()) > forgotten + FORGET_EVERY:
                    while await self._store.forget_deliveries(self._retain):
                        pass
                    forgotten = now
                await asyncio.sleep(POLL)
        finally:
            for task in self._serving.values():
                task.cancel()
            await asyncio.gather(*self._serving.values(), return_exceptions=True)
            self._serving.clear()

    async def _look(self) -> None:
        """Serve the clients for whom something is due. One that cannot be served (its secret does not open, say) is let
        be for a while, and keeps nobody else waiting."""
        now = asyncio.get_running_loop().time()
        for client in [client for client, task in self._serving.items() if task.done()]:
            if error := self._serving.pop(client).exception():
                self._resting[client] = now + REST
                self._telling.health.fails("deliveries", error)
                log.error("deliveries cannot be made", client=client, error=f"{type(error).__name__}: {error}")
        self._resting = {client: until for client, until in self._resting.items() if until > now}
        if not self._resting:
            self._telling.health.works("deliveries")
        for client in await self._store.due_clients():
            if len(self._serving) >= CLIENTS:
                break
            if client not in self._serving and client not in self._resting:
                self._serving[client] = asyncio.create_task(self.serve(client), name=f"deliver to {client}")

    async def serve(self, client: str) -> None:
        """Deliver what is due to one client, until nothing more is."""
        while (callback := await self._callbacks.of(client)) is not None and callback["disabled_at"] is None:
            secrets = await self._callbacks.secrets(client)
            rows = await self._store.claim_deliveries(client, 1 if callback["failing_since"] else EACH, LEASE)
            if not rows:
                return
            tries = await asyncio.gather(*(self._try(row, callback["url"], secrets) for row in rows))
            outcomes, statuses = [outcome for outcome, _ in tries], [verdict for _, verdict in tries]
            self._telling.outcomes.update(statuses)
            disabled = await self._store.settle_deliveries(
                client, callback["url"], outcomes, gone="gone" in statuses, patience=PATIENCE
            )
            if disabled:
                log.warning("callback disabled", client=client, reason=disabled)
        if callback is None:
            await self._callbacks.removed(client)

    async def _try(self, row: Mapping[str, Any], url: str, secrets: list[tuple[int, bytes]]) -> tuple[Outcome, str]:
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
        outcome = Outcome(row["event_id"], row["due_at"], delivered, status, error, pause, secrets[0][0])
        return outcome, verdict


def _worded(failure: Exception) -> str:
    """In words that the client may read, which is not told what a name resolved to inside the operator's network."""
    if isinstance(failure, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(failure, NoAnswer):
        return str(failure).partition("\n")[0][:_ERROR]
    log.error("a delivery cannot be made", error=type(failure).__name__, exc_info=failure)
    return f"a fault of the service: {type(failure).__name__}"
