"""Does the erasures that were requested, and reports on them. Any worker goes on with what another left."""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from adapters.contract import HttpCall, Response
from agents.health import WorkerHealth, worded
from agents.transport import NoAnswer, Transport
from app.clients.configured import Account, Clients
from app.erasing.steps import Eraser, Held, Waits
from app.settings import Settings
from sql import EventStore
from webhooks.cancelled import pass_on, rest

log = structlog.get_logger(__name__)

#: Seconds between two looks for erasures.
EVERY = 5.0


class Erasures:
    """The erasures of this process."""

    def __init__(
        self,
        store: EventStore,
        settings: Settings,
        health: WorkerHealth,
        clients: Clients | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._store, self._health = store, health
        self._eraser = Eraser(store, settings, clients, None if transport is None else partial(_carry, transport))
        #: Erasures, and the age of the oldest in seconds, by state, at the last look.
        self.counts: dict[str, tuple[int, float]] = {}
        health.more.append(self.collect)

    async def run(self) -> None:
        """Do what was requested, until cancelled."""
        while True:
            await self.once()
            await rest(EVERY)

    async def once(self) -> None:
        """Do the erasures that are under way, and count all. One that fails holds up no other; the last error is raised."""
        failed: Exception | None = None
        for id in await self._store.erasures_due():
            try:
                await self._eraser.run(id, partial(_log, id))
            except Held as held:
                log.info("erasure_held", erasure=str(id), until=held.until.isoformat())
            except Waits as why:
                log.info("erasure_waits", erasure=str(id), reason=str(why))
            except Exception as error:
                pass_on(error)
                log.warning("erasure_failed", erasure=str(id), error=worded(error))
                failed = error
        counted = await self._store.erasure_counts()
        self.counts = {row["state"]: (int(row["erasures"]), float(row["oldest"])) for row in counted}
        if failed is not None:
            raise failed
        self._health.works("erasures")

    def collect(self) -> Iterator[Any]:
        """Yield the metrics for Prometheus."""
        steps = CounterMetricFamily(
            "threadline_erasure_steps", "Steps of erasures that this process did, by what they led to.", labels=["to"]
        )
        for state, count in dict(self._eraser.steps).items():
            steps.add_metric([state], count)
        yield steps
        open_ones = {state: each for state, each in self.counts.items() if state != "completed"}
        yield GaugeMetricFamily(
            "threadline_erasures_open", "Erasures under way.", sum(count for count, _ in open_ones.values())
        )
        yield GaugeMetricFamily(
            "threadline_erasure_oldest_seconds",
            "How long ago the oldest erasure that is under way, and not held, was requested.",
            max((age for state, (_, age) in open_ones.items() if state != "held"), default=0.0),
        )


async def erase(store: EventStore, clients: Clients, health: WorkerHealth, settings: Settings) -> None:
    """Do erasures until cancelled."""
    sending = settings.sending
    transport = Transport(timeout=sending.timeout, allowed=sending.allowed_networks)
    try:
        await Erasures(store, settings, health, clients, transport).run()
    finally:
        await transport.close()


async def _carry(transport: Transport, call: HttpCall, account: Account) -> Response | None:
    """Make a call to a provider; return its response, None where none came."""
    try:
        return await transport.carry(call, account.values, trusted=account.trusted)
    except NoAnswer as error:
        log.warning("erasure_not_asked", account=account.name, kind=error.kind)
        return None


def _log(erasure: UUID, state: str) -> None:
    log.info("erasure_step", erasure=str(erasure), state=state)
