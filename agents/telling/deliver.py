"""Notifies clients of their messages: finds the clients with due deliveries, and starts a task for each
(`agents.telling.callback`).

A callback that hangs, fails or cannot be signed delays no other client: clients whose callbacks fail have slots of their own,
one each. The deliveries of a worker that dies are claimed again when their lease ends: a callback may be notified twice, with
the same `webhook-id`.
"""

import asyncio
from datetime import timedelta

import structlog

from agents.telling.callback import ANSWER, LEASE, MOST, TIMEOUT, ClientDeliveries, Slots
from agents.telling.metrics import NotificationMetrics
from agents.transport import Transport
from app.clients.callbacks import ClientCallbacks
from sql import EventStore, is_transient
from webhooks.cancelled import rest

__all__ = ["ANSWER", "LEASE", "MOST", "TIMEOUT", "Deliverer"]

log = structlog.get_logger(__name__)

#: Seconds between queries for due deliveries, and between removals of old ones.
POLL = 0.25
FORGET_EVERY = 3600.0
#: Most clients at once: those whose callbacks fail, and the others.
FAILING, CLIENTS = 128, MOST
#: Most clients that one query returns.
LOOK = 256
#: Seconds to back off after a client's delivery fails by a fault of ours.
REST = 5.0


class Deliverer:
    """The deliveries of this process."""

    def __init__(
        self,
        store: EventStore,
        callbacks: ClientCallbacks,
        transport: Transport,
        metrics: NotificationMetrics,
        retain: timedelta,
    ) -> None:
        self._store, self._callbacks, self._transport, self._metrics = store, callbacks, transport, metrics
        self._retain = retain
        self._slots = Slots()
        self._running: dict[str, tuple[ClientDeliveries, asyncio.Task[None]]] = {}
        #: Clients that are backed off, and until when (the loop's clock).
        self._resting: dict[str, float] = {}
        #: Until when the database counts as failing.
        self._down = float("-inf")
        #: Clients whose callbacks failed the last time. They wait for one of the slots for failing callbacks.
        self._failing: set[str] = set()

    async def run(self) -> None:
        """Deliver for ever. Raises what ends it (see `failures.keep_on`), and cancels the tasks it started."""
        forgotten = float("-inf")
        try:
            while True:
                await self._look()
                if (now := asyncio.get_running_loop().time()) > forgotten + FORGET_EVERY:
                    while await self._store.forget_deliveries(self._retain):
                        pass
                    forgotten = now
                await rest(POLL)
        finally:
            tasks = [task for _, task in self._running.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._running.clear()
            self._slots.clients.clear()

    async def _look(self) -> None:
        """Start or wake the tasks of the clients with due deliveries."""
        now = asyncio.get_running_loop().time()
        for client in [client for client, (_, task) in self._running.items() if task.done()]:
            self._ended(client, now)
        self._resting = {client: until for client, until in self._resting.items() if until > now}
        if now >= self._down:
            self._metrics.health.works("deliveries")
        full = [client for client, (one, _) in self._running.items() if one.full]
        crowded = self._failing if self._slots.count(failing=True) >= FAILING else ()
        for client in await self._store.due_clients(LOOK, [*full, *self._resting, *crowded]):
            if client in self._running:
                self._running[client][0].wake()
            elif client in self._failing or self._slots.count(failing=False) < CLIENTS:
                self._start(client)

    def _start(self, client: str) -> None:
        one = ClientDeliveries(client, self._store, self._callbacks, self._transport, self._metrics, self._slots)
        one.failing = client in self._failing
        self._slots.clients.add(one)
        self._running[client] = one, asyncio.create_task(one.run(), name=f"deliver to {client}")

    def _ended(self, client: str, now: float) -> None:
        one, task = self._running.pop(client)
        self._slots.clients.discard(one)
        (self._failing.add if one.failing else self._failing.discard)(client)
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
