"""Writes down what came of claims: in one transaction for all that came meanwhile, until it is written."""

import asyncio
from datetime import UTC, datetime

import structlog

from agents.failures import until_done
from agents.health import Health
from agents.sender import claims
from agents.transport.fence import clock
from app.sending.claimed import Result
from sql import EventStore, Row
from sql.messages import Lane

log = structlog.get_logger(__name__)

#: Seconds that outcomes gather before they are written.
GATHER = 0.01


class Settling:
    """The outcomes that are not written yet. `lanes`: those whose accounts are configured otherwise by now."""

    def __init__(self, store: EventStore, health: Health) -> None:
        self.store, self.health = store, health
        self.lanes: dict[tuple[str, str], Lane] = {}
        self._results: list[Result] = []
        self._there = asyncio.Event()
        self._ended = False

    def add(self, result: Result) -> None:
        """Have it written, in a moment."""
        self._results.append(result)
        self._there.set()

    def end(self) -> None:
        """Nothing more will be added: `run` returns once all is written."""
        self._ended = True
        self._there.set()

    async def run(self) -> None:
        """Write until `end`; begins with what an earlier run left."""
        self._ended = False
        while not self._ended or self._results:
            if not self._results:
                await self._there.wait()
            await asyncio.sleep(GATHER)
            self._there.clear()
            results, self._results = self._results, []
            if results:
                await self._write(results)

    async def _write(self, results: list[Result]) -> None:
        try:
            await self._write_lanes(results)
        except Exception:  # the outcomes count more than what they say of the accounts
            log.exception("how an account did cannot be stored")
        await self._settle(results)

    async def _write_lanes(self, results: list[Result]) -> None:
        if moved := self.lanes | claims.moved(results):
            self.lanes.clear()
            await until_done("database", lambda: self.store.set_lanes([*moved.values()]), self.health)
        if claims.lanes(results, 0.0):
            # Made anew at each try, as it says how long ago the calls began.
            await until_done("database", lambda: self.store.note_lanes(claims.lanes(results, clock())), self.health)

    async def _settle(self, results: list[Result]) -> None:
        """Halved until the one that the database cannot hold stands alone: its events are given up, not its state."""
        at = datetime.now(UTC)
        rows: list[Row] = [
            (event, result.claimed.request.client_id, at, None) for result in results for event in claims.told(result)
        ]
        try:
            settled = [result.settled for result in results]
            await until_done("database", lambda: self.store.settle(settled, rows), self.health)
        except Exception as error:
            if len(results) > 1:
                half = len(results) // 2
                await self._settle(results[:half])
                await self._settle(results[half:])
            elif results[0].events:
                log.exception("an event cannot be stored", message=results[0].claimed.id)
                results[0].events = []
                await self._settle(results)
            else:
                log.exception("an outcome cannot be stored", message=results[0].claimed.id, error=str(error))
            return
        for result in results:
            self.health.counts[f"messages_{result.settled.state}"] += 1
