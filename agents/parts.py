"""What works in the worker beside its agents: sending what is due, and telling others of the log."""

import asyncio
from datetime import timedelta
from functools import partial

from agents.deliver import ANSWER, TIMEOUT, Deliverer
from agents.due import Due
from agents.failures import keep_on
from agents.health import Health
from agents.relay import Relayer
from agents.telling import Telling
from agents.transport import Transport
from agents.transport.oauth import Tokens
from app.callbacks import Callbacks
from app.producers import producer
from app.sending.clients import Clients
from app.sending.seal import Seal
from app.settings import Settings
from app.topics import max_record
from sql import EventStore

#: Seconds between looks at what was never answered, and between counts of what waits.
SWEEP_EVERY, COUNT_EVERY = 5.0, 60.0


async def send(store: EventStore, clients: Clients, health: Health, settings: Settings) -> None:
    """Send what is due, until cancelled: each part begins again where it fails."""
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


async def _listen(store: EventStore, due: Due, health: Health) -> None:
    """Wake the sender when requests are accepted, in any process. Without it they leave a fifth of a second later."""

    def woken() -> None:
        health.works("notifications")
        due.wake()

    await store.on_accepted(woken)


async def _sweep(store: EventStore, health: Health) -> None:
    """Settle the unanswered attempts of which a provider told since."""
    while True:
        health.counts["messages_told"] += await store.sweep()
        health.works("sweep")
        await asyncio.sleep(SWEEP_EVERY)


async def _count(store: EventStore, health: Health) -> None:
    """Count what waits. Seldom: it reads every row that does."""
    while True:
        health.waiting = await store.sending_counts()
        health.works("counts")
        await asyncio.sleep(COUNT_EVERY)


async def tell(store: EventStore, clients: Clients, health: Health, settings: Settings) -> None:
    """Relay the log to Kafka and to clients' callbacks, for ever: each part begins again where it fails."""
    telling = Telling(health)
    callbacks = Callbacks(store, clients, Seal.of(settings))
    connect = partial(producer, settings)
    from_now = settings.relay.start == "now"
    relayer = Relayer(store, connect, callbacks, telling, most=max_record(settings), from_now=from_now)
    transport = Transport(timeout=TIMEOUT, allowed=settings.callbacks.allowed_networks, max_answer=ANSWER)
    deliverer = Deliverer(store, callbacks, transport, telling, timedelta(days=settings.callbacks.retain_days))
    try:
        await asyncio.gather(
            keep_on("relay", relayer.run, health),
            keep_on("deliveries", deliverer.run, health),
            keep_on("relay lag", partial(telling.measure, store), health),
        )
    finally:
        await transport.close()
