"""Tells clients of their messages: looks for whom deliveries are due, and serves each of them by itself (`agents.telling.callback`).

One whose callback hangs, fails or cannot be signed for holds up nobody else's: those that fail have places of their own, one
each. A worker that dies leaves its deliveries to be taken again when their lease ends: a callback may be told twice, which
its `webhook-id` shows.
"""

import asyncio
from datetime import timedelta

import structlog

from agents.telling.callback import ANSWER, LEASE, MOST, TIMEOUT, ClientDeliveries, Slots
from agents.telling.metrics import NotificationMetrics
from agents.transport import Transport
from app.clients.callbacks import Callbacks
from sql import EventStore, is_transient

__all__ = ["ANSWER", "LEASE", "MOST", "TIMEOUT", "Deliverer"]

log = structlog.get_logger(__name__)

#: Seconds between looks for what is due, and between rounds of forgetting.
POLL = 0.25
FORGET_EVERY = 3600.0
#: Clients served at once, of those whose callbacks fail and of the others.
FAILING, CLIENTS = 128, MOST
#: Clients that one look asks for.
LOOK = 256
#: Seconds for which a client that cannot be served is left alone.
REST = 5.0


class Deliverer:
    """The deliveries of this process."""

    def __init__(
        self, store: EventStore, callbacks: Callbacks, transport: Transport, metrics: NotificationMetrics, retain: timedelta
    ) -> None:
        self._store, self._callbacks, self._transport, self._metrics = store, callbacks, transport, metrics
        self._retain = retain
        self._slots = Slots()
        self._serving: dict[str, tuple[ClientDeliveries, asyncio.Task[None]]] = {}
        #: Clients that could not be served, and until when they are left alone (the loop's clock).
        self._resting: dict[str, float] = {}
        #: Until when what is everyone's (the database) counts as failing.
        self._down = float("-inf")
        #: Clients whose callbacks failed when they were last served, which wait for a place among their like.
        self._failing: set[str] = set()

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
            tasks = [task for _, task in self._serving.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._serving.clear()
            self._slots.served.clear()

    async def _look(self) -> None:
        """Serve the clients for whom something is due. One that cannot be served is left alone for a while, and keeps
        nobody else waiting."""
        now = asyncio.get_running_loop().time()
        for client in [client for client, (_, task) in self._serving.items() if task.done()]:
            self._ended(client, now)
        self._resting = {client: until for client, until in self._resting.items() if until > now}
        if now >= self._down:
            self._metrics.health.works("deliveries")
        full = [client for client, (serving, _) in self._serving.items() if serving.full]
        crowded = self._failing if self._slots.count(failing=True) >= FAILING else ()
        for client in await self._store.due_clients(LOOK, [*full, *self._resting, *crowded]):
            if client in self._serving:
                self._serving[client][0].stir()
            elif client in self._failing or self._slots.count(failing=False) < CLIENTS:
                self._serve(client)

    def _serve(self, client: str) -> None:
        serving = ClientDeliveries(client, self._store, self._callbacks, self._transport, self._metrics, self._slots)
        serving.failing = client in self._failing
        self._slots.served.add(serving)
        self._serving[client] = serving, asyncio.create_task(serving.run(), name=f"deliver to {client}")

    def _ended(self, client: str, now: float) -> None:
        serving, task = self._serving.pop(client)
        self._slots.served.discard(serving)
        (self._failing.add if serving.failing else self._failing.discard)(client)
        if (error := task.exception()) is None:
            self._metrics.health.tenant_works(client, "callback")
            return
        self._resting[client] = now + REST
        log.error("deliveries cannot be made", client=client, error=type(error).__name__)
        if is_transient(error) or isinstance(error, OSError):
            self._metrics.health.fails("deliveries", error)
            self._down = now + REST
        else:
            self._metrics.health.tenant_fails(client, "callback", error)
