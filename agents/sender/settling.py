"""Writes the outcomes of claims: all that have gathered, in one transaction, retried until it is done."""

import asyncio
from datetime import UTC, datetime

import structlog

from agents.failures import until_done
from agents.health import WorkerHealth
from agents.sender import lanes
from agents.sender.claimed import Settlement
from agents.transport.fence import clock
from app.implied import with_implied
from schemas.events import Event
from sql import EventStore, Row
from sql.messages import Lane
from webhooks.cancelled import pass_on

log = structlog.get_logger(__name__)

#: Seconds that outcomes gather before they are written.
GATHER = 0.01


class Settling:
    """The outcomes that are not written yet. `lanes`: lanes to write because the configuration of their accounts has
    changed."""

    def __init__(self, store: EventStore, health: WorkerHealth) -> None:
        self.store, self.health = store, health
        self.lanes: dict[tuple[str, str], Lane] = {}
        self._settlements: list[Settlement] = []
        self._there = asyncio.Event()
        self._ended = False

    def add(self, settlement: Settlement) -> None:
        """Queue a settlement to be written soon."""
        self._settlements.append(settlement)
        self._there.set()

    def end(self) -> None:
        """Announce that nothing more will be added: `run` returns once all is written."""
        self._ended = True
        self._there.set()

    async def run(self) -> None:
        """Write until `end`; begin with the settlements that an earlier run left."""
        self._ended = False
        while not self._ended or self._settlements:
            if not self._settlements:
                await self._there.wait()
            await asyncio.sleep(GATHER)
            self._there.clear()
            settlements, self._settlements = self._settlements, []
            if settlements:
                await self._write(settlements)

    async def _write(self, settlements: list[Settlement]) -> None:
        try:
            await self._write_lanes(settlements)
        except Exception as error:  # the outcomes matter more than how the accounts did
            pass_on(error)
            log.exception("how an account did cannot be stored")
        await self._settle(settlements)

    async def _write_lanes(self, settlements: list[Settlement]) -> None:
        if moved := self.lanes | lanes.moved(settlements):
            self.lanes.clear()
            await until_done("database", lambda: self.store.set_lanes([*moved.values()]), self.health)
        if lanes.reports(settlements, 0.0):
            # Made for each try, as it has the age of the calls.
            await until_done(
                "database", lambda: self.store.note_lanes(lanes.reports(settlements, clock())), self.health
            )

    async def _settle(self, settlements: list[Settlement], *, with_events: bool = True) -> None:
        """Write them; if the database refuses one, halve them until it is alone, then write its state without its
        events."""
        at = datetime.now(UTC)
        rows: list[Row] = [
            (event, each.claimed.request.client_id, at, None)
            for each in settlements
            for event in (_events(each) if with_events else ())
        ]
        try:
            await until_done("database", lambda: self.store.settle(settlements, rows), self.health)
        except Exception as error:
            pass_on(error)
            if len(settlements) > 1:
                half = len(settlements) // 2
                await self._settle(settlements[:half])
                await self._settle(settlements[half:])
            elif rows:
                log.exception("an event cannot be stored", message=settlements[0].id)
                await self._settle(settlements, with_events=False)
            else:
                log.exception("an outcome cannot be stored", message=settlements[0].id, error=str(error))
            return
        for each in settlements:
            self.health.counts[f"messages_{each.state}"] += 1


def _events(settlement: Settlement) -> list[Event]:
    """Return the events to append, including consent learned from a provider's refusal (not from our own, which rests
    on a consent already), and the recipient's handles that its answer links."""
    events = with_implied(settlement.events) if settlement.status else settlement.events
    if settlement.claimed.trace is not None:
        for event in events:
            event.trace = event.trace or settlement.claimed.trace
    return events
