"""What every agent does with a batch: prepare it, append and project it in one transaction, then acknowledge it.

While the database works on one batch the next is prepared, so both cores are busy. Nothing is raised out of here:
a batch is retried until it is stored, and what can never be stored becomes a dead letter (see `failures`).
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog
from opentelemetry.trace import Span

from adapters.base import Once
from agents import tracing
from agents.batches import Batch, batches
from agents.failures import is_permanent, until_done
from agents.health import Health
from agents.once import AGAIN, refuse_used
from app.sending.requests import Request
from schemas.events import Error
from sql import DeadLetter, EventStore, Row

log = structlog.get_logger(__name__)

#: Records that are prepared at a stretch, about a millisecond, before the database and Kafka have their turn.
SLICE = 25


@dataclass(slots=True)
class Entry:
    """What came of one Kafka record: the bytes to keep (or None), its events, and what could not be understood; of a
    send request, that, or whose it is and why it cannot be sent."""

    record: Any
    received: float
    raw: bytes | None = None
    rows: list[Row] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    span: Span | None = None
    request: Request | None = None
    refused: tuple[Request, Error] | None = None
    #: Of a webhook whose signature covers a token alone: its source, and that.
    once: tuple[str, Once] | None = None


#: The types that say that a message, once sent, did not arrive.
FAILURES = frozenset({"MessageFailed", "MessageBounced", "MessageRejected"})

Prepare = Callable[[Sequence[Any]], list[Entry]]


class Publish(Protocol):
    """Puts a dead letter on its topic, and returns once Kafka has it."""

    async def __call__(self, letter: DeadLetter) -> None: ...


class Pipeline:
    """Runs agents on one store."""

    def __init__(self, store: EventStore, publish: Publish, health: Health, most: int) -> None:
        self.store, self.publish, self.health, self.most = store, publish, health, most

    async def run(self, stream: Any, prepare: Prepare) -> None:
        """Work on the stream until it ends."""
        storing: asyncio.Task[None] | None = None
        async for batch in batches(stream, self.most):
            entries: list[Entry] = []
            for start in range(0, len(batch.records), SLICE):
                entries += prepare(batch.records[start : start + SLICE])
                await asyncio.sleep(0)  # the database's turn, else the last batch is not even sent before this is done
            if storing is not None:
                await asyncio.wait([storing])  # not `await storing`: a cancelled agent must not cancel a transaction
            storing = asyncio.create_task(self._finish(batch, entries))

    async def _finish(self, batch: Batch, entries: list[Entry]) -> None:
        began = time.time_ns()
        for entry in await refuse_used(self.store, entries, self.health):
            entry.dead = [letter_of(entry.record, AGAIN, source=entry.once[0] if entry.once else None)]
        await self._store(entries)
        tracing.end([entry.span for entry in entries if entry.span], began, sum(len(entry.rows) for entry in entries))
        for entry in entries:
            for letter in entry.dead:
                await until_done("dead letter topic", lambda letter=letter: self.publish(letter), self.health)  # type: ignore[misc]
        batch.ack()
        self.health.counts["records"] += len(batch.records)
        self.health.committed(entry.received for entry in entries)

    async def _store(self, entries: list[Entry]) -> None:
        rows = [row for entry in entries for row in entry.rows]
        raw = [entry.raw for entry in entries if entry.raw is not None]
        dead = [letter for entry in entries for letter in entry.dead]
        try:
            appended = await until_done("database", lambda: self.store.append(rows, raw, dead), self.health)
        except Exception as error:
            if not is_permanent(error):
                raise
            await self._store_apart(entries, error)
        else:
            self.health.counts["events"] += appended.appended
            self.health.counts["duplicates"] += appended.duplicates
            self.health.counts["dead_letters"] += len(dead)
            await self._tell(rows)

    async def _tell(self, rows: list[Row]) -> None:
        """Say which messages failed: one that has another channel goes on to that."""
        failed = [
            (client, event.provider or event.source, event.message_id, event.provider_message_id)
            for event, client, _, _ in rows
            if event.type in FAILURES and (event.message_id or event.provider_message_id)
        ]
        if failed:
            await until_done("database", lambda: self.store.told(failed), self.health)

    async def _store_apart(self, entries: list[Entry], error: Exception) -> None:
        """Halve until the row at fault stands alone, so that it holds up none of its neighbours."""
        if len(entries) > 1:
            half = len(entries) // 2
            await self._store(entries[:half])
            await self._store(entries[half:])
            return
        (entry,) = entries
        if len(entry.rows) > 1:
            half = len(entry.rows) // 2
            rest = Entry(entry.record, entry.received, entry.raw, entry.rows[half:])
            entry.rows = entry.rows[:half]
            await self._store([entry])
            await self._store([rest])
            entry.dead += rest.dead
            return
        if not entry.rows:
            log.error("a dead letter cannot be stored", error=str(error))
            entry.raw, entry.dead = None, [letter_of(entry.record, f"cannot be stored: {error}", ordinal=-1)]
            return
        entry.dead.append(letter_of(entry.record, f"cannot be stored: {error}", ordinal=len(entry.dead)))
        entry.rows = []
        await self._store([entry])


def letter_of(
    record: Any, reason: str, *, ordinal: int = 0, source: str | None = None, webhook_id: str | None = None,
    detail: Any = None,
) -> DeadLetter:  # fmt: skip
    """The dead letter for a record, or for its item number `ordinal`; the same at every redelivery."""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        ordinal=ordinal,
        webhook_id=webhook_id,
        source=source,
        reason=reason,
        detail=detail,
        value=record.value,
    )
