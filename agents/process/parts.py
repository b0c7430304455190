"""Runs the worker's parts beside its agents: the sender, the relay and callbacks, and housekeeping."""

import asyncio
from datetime import timedelta
from functools import partial

import structlog

from agents.auditing.anchoring import Anchoring
from agents.auditing.sealing import Sealer
from agents.failures import keep_on
from agents.health import WorkerHealth
from agents.sender.due import Due
from agents.telling.deliver import ANSWER, MOST, TIMEOUT, Deliverer
from agents.telling.metrics import NotificationMetrics
from agents.telling.relay import Relayer
from agents.transport import Transport
from agents.transport.oauth import Tokens
from app.clients.callbacks import ClientCallbacks
from app.clients.configured import Clients
from app.kafka.producers import producer
from app.kafka.topics import max_record
from app.keys import seal_of
from app.settings import Settings
from sql import EventStore
from webhooks.blobs import Blobs
from webhooks.cancelled import rest

log = structlog.get_logger(__name__)

#: Seconds between sweeps of unanswered attempts, and between counts of waiting messages.
SWEEP_EVERY, COUNT_EVERY = 5.0, 60.0
#: Seconds between runs of partition maintenance.
MAINTAIN_EVERY = 3600.0
#: Seconds that the endpoint for the audit's anchors may take.
ANSWERED = 10.0


async def send(store: EventStore, clients: Clients, health: WorkerHealth, settings: Settings) -> None:
    """Run the sender until cancelled. Each part restarts when it fails."""
    sending = settings.sending
    transport = Transport(timeout=sending.timeout, connections=sending.concurrency, allowed=sending.allowed_networks)
    due = Due(store, clients, transport.carry, Tokens(transport.carry), health, sending)
    try:
        await asyncio.gather(
            keep_on("sending", due.run, health),
            keep_on("notifications", partial(_listen, store, due, health), health),
            keep_on("sweep", partial(_sweep, store, health), health),
            keep_on("counts", partial(_count, store, health), health),
        )
    finally:
        await transport.close()


async def _listen(store: EventStore, due: Due, health: WorkerHealth) -> None:
    """Wake the sender when any process accepts requests. Without this they leave a fifth of a second later."""

    def woken() -> None:
        health.works("notifications")
        due.wake()

    await store.on_accepted(woken)


async def _sweep(store: EventStore, health: WorkerHealth) -> None:
    """Settle unanswered attempts whose outcome a provider has reported since."""
    while True:
        health.counts["messages_told"] += await store.sweep()
        health.works("sweep")
        await rest(SWEEP_EVERY)


async def _count(store: EventStore, health: WorkerHealth) -> None:
    """Count waiting messages and paused accounts, and repair due times that lie far in the future because the database's clock
    was set back. Rare, since it reads every waiting row."""
    while True:
        if mended := await store.after_setback():
            log.warning("the database's clock was set back", messages=mended)
        health.waiting, health.resting = await store.sending_counts(), await store.resting_accounts()
        health.works("counts")
        await rest(COUNT_EVERY)


async def notify(store: EventStore, clients: Clients, health: WorkerHealth, settings: Settings) -> None:
    """Relay the log to Kafka and to clients' callbacks until cancelled. Each part restarts when it fails."""
    telling = NotificationMetrics(health, settings.relay.held_after)
    callbacks = ClientCallbacks(store, clients, seal_of(settings))
    connect = partial(producer, settings)
    from_now = settings.relay.start == "now"
    relayer = Relayer(store, connect, callbacks, telling, most=max_record(settings), from_now=from_now)
    # No lower limit per origin: several clients may have callbacks at the same one.
    transport = Transport(
        timeout=TIMEOUT, connections=2 * MOST, allowed=settings.callbacks.allowed_networks, max_answer=ANSWER
    )
    deliverer = Deliverer(store, callbacks, transport, telling, timedelta(days=settings.callbacks.retain_days))
    try:
        await asyncio.gather(
            keep_on("relay", relayer.run, health),
            keep_on("deliveries", deliverer.run, health),
            keep_on("relay lag", partial(telling.measure, store), health),
        )
    finally:
        await transport.close()


async def keep_audit(store: EventStore, health: WorkerHealth, settings: Settings) -> None:
    """Seal the audit and anchor it until cancelled. Each part restarts when it fails."""
    transport = Transport(timeout=ANSWERED)
    anchoring = Anchoring(store, health, settings, transport)
    sealer = Sealer(store, health, settings.audit.seal_every, anchoring.sinks)
    try:
        await asyncio.gather(keep_on("sealing", sealer.run, health), anchoring.run())
    finally:
        await transport.close()


async def maintain(store: EventStore, health: WorkerHealth, retain_days: int, blobs: Blobs) -> None:
    """Create partitions of the log and of raw webhooks ahead of time, drop expired ones, count the rows that had none, and delete expired signed tokens, until cancelled.
    Large bodies are deleted with the raw webhooks that refer to them: within a day, as these are dropped by the day."""
    while True:
        await store.ensure_event_partitions(months_ahead=1)
        await store.ensure_partitions(days_ahead=3)
        health.unpartitioned = await store.unpartitioned()
        await store.drop_partitions(older_than_days=retain_days)
        while await store.forget_tokens():
            pass
        if deleted := await asyncio.to_thread(blobs.sweep, (retain_days + 1) * 86400.0):
            log.info("blobs_deleted", blobs=deleted)
        health.works("partitions")
        await rest(MAINTAIN_EVERY)
