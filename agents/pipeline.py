"""Processes batches for all agents: turns records into outcomes, appends and projects them, then acknowledges the batch.

The next batch is prepared while the database works on the previous one, so both cores are busy. A batch is retried until it is
stored; a record that can never be stored becomes a dead letter (see `failures`). Any other error is a bug: `run` raises it and reports it as
fatal, so that the process ends with its reason and another worker reads the batch again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import structlog

from agents.batches import Batch, batches
from agents.failures import is_permanent, until_done
from agents.health import WorkerHealth
from agents.process import tracing
from agents.records.deadline import DEADLINE
from agents.records.once import refuse_used
from agents.records.outcome import Making, RecordOutcome, advance
from agents.records.parted import apart, parts, store_alone
from agents.records.replays import replays_of
from agents.records.sealed import opened, take_keys
from agents.records.withheld import raw_of
from sql import DeadLetter, EventStore, Row, references_of
from sql.customers import MANY
from webhooks.spans import trace_of

log = structlog.get_logger(__name__)

#: Records prepared in one go (about a millisecond), and the seconds after which the event loop runs other tasks in any case.
SLICE, STRETCH = 25, 0.005
#: The most events of one transaction. A record with more goes alone.
EVENTS = 10_000
#: The most dead letters published at once, in addition to the limit `parted.BYTES`.
LETTERS = 100
#: Seconds for storing a batch after its agent was cancelled. A batch that takes longer is read again.
GRACE = 5.0

#: Event types that mean that a sent message did not arrive.
FAILURES = frozenset({"MessageFailed", "MessageBounced", "MessageRejected"})

#: Returns a record's outcome, or the steps that make it, or an awaitable of it if that takes long (`agents.records.large`).
Prepare = Callable[[Any], RecordOutcome | Making | Awaitable[RecordOutcome]]


#: Removes a large body, by its name.
Withhold = Callable[[str], Awaitable[None]]


class Publish(Protocol):
    """Publishes a dead letter and returns once Kafka has it."""

    async def __call__(self, letter: DeadLetter) -> None: ...


class Pipeline:
    """Runs agents on one store. `most` is the number of records in a batch; `withhold` removes a large body that is not to be kept."""

    def __init__(
        self, store: EventStore, publish: Publish, health: WorkerHealth, most: int, withhold: Withhold | None = None
    ) -> None:
        self.store, self.publish, self.health, self.most = store, publish, health, most
        self.withhold = withhold
        self._storing: set[asyncio.Task[None]] = set()  # the loop holds its tasks weakly

    async def run(self, stream: Any, prepare: Prepare) -> None:
        """Process the stream until it ends. Raises errors that no retry or dead letter can resolve."""
        storing: asyncio.Task[None] | None = None
        try:
            async for batch in batches(stream, self.most):
                await take_keys(batch.records, self.store, self.health)
                outcomes = await self._prepare(batch.records, prepare)
                if storing is not None:
                    # Not `await storing`: cancelling the agent must not cancel a transaction.
                    await asyncio.wait([storing])
                    storing.result()
                storing = asyncio.create_task(self._finish(batch, outcomes))
                self._storing.add(storing)
                storing.add_done_callback(self._stored)
        finally:
            if storing is not None and not storing.done():
                await asyncio.wait([storing], timeout=GRACE)
        if storing is not None and storing.done():
            storing.result()

    def _stored(self, task: "asyncio.Task[None]") -> None:
        """Report a task's failure, whether or not anything awaits the task."""
        self._storing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.health.fatal(error)

    async def _prepare(self, records: Sequence[Any], prepare: Prepare) -> list[RecordOutcome]:
        outcomes: list[RecordOutcome] = []
        while len(outcomes) < len(records):
            start, until = len(outcomes), time.perf_counter() + STRETCH
            slow: Awaitable[RecordOutcome] | None = None
            making: deque[Making] = deque()
            # Decrypt all records of a slice first: a single record costs several times as much, as the code is not in the processor's caches.
            some = [opened(record, self.store) for record in records[start : start + SLICE]]
            with DEADLINE.ticking():
                for record in some:
                    prepared = prepare(record)
                    if isinstance(prepared, Making):
                        making.append(prepared)
                        prepared = prepared.outcome
                    elif not isinstance(prepared, RecordOutcome):
                        slow = prepared
                        break
                    outcomes.append(prepared)
                    if time.perf_counter() > until:
                        break
                advance(making, until)
            while making:
                await asyncio.sleep(0)
                with DEADLINE.ticking():
                    advance(making, time.perf_counter() + STRETCH)
            if slow is not None:
                outcomes.append(await slow)
            await asyncio.sleep(0)  # let the previous batch be sent to the database meanwhile
        return outcomes

    async def _finish(self, batch: Batch, outcomes: list[RecordOutcome]) -> None:
        began = time.time_ns()
        await refuse_used(self.store, outcomes, self.health)
        for some in parts(outcomes, lambda outcome: (outcome.size, len(outcome.rows)), EVENTS):
            await self._store(some)
        await self._forget(outcomes)
        await self._report_failures([row for outcome in outcomes for row in outcome.rows])
        await tracing.link(self.store, outcomes)
        tracing.end(outcomes, began)
        letters = [outcome.letter for outcome in outcomes if outcome.letter]
        if letters:  # one line per batch, so that many bad records do not flood the log
            sources = sorted({letter.source or letter.topic for letter in letters})[:5]
            log.warning("dead letters", letters=len(letters), sources=sources, see="threadline dead-letters list")
        for some_letters in parts(letters, lambda letter: (letter.size, 1), LETTERS):
            await self._publish(some_letters)
        batch.ack()
        self.health.counts["records"] += len(batch.records)
        self.health.committed((outcome.received, trace_of(outcome.span)) for outcome in outcomes)

    async def _store(self, outcomes: list[RecordOutcome]) -> None:
        await apart(outcomes, self._append, self._append_alone, self.health)

    async def _append(self, outcomes: Sequence[RecordOutcome]) -> None:
        rows = [row for outcome in outcomes for row in outcome.rows]
        raw = await raw_of(outcomes, self.store)
        letters = [outcome.letter for outcome in outcomes if outcome.letter]
        appended = await self.store.append(rows, raw, letters, replays_of(outcomes))
        self.health.counts["events"] += appended.appended
        self.health.counts["duplicates"] += appended.duplicates
        self.health.counts["large_customers"] += appended.largest > MANY
        self.health.counts["dead_letters"] += len(letters)

    async def _append_alone(self, outcome: RecordOutcome, error: Exception) -> None:
        await store_alone(self.store, self.health, outcome, error)

    async def _forget(self, outcomes: Sequence[RecordOutcome]) -> None:
        """Remove the large bodies that are not to be kept, once their events are stored. The body of a dead letter stays for its replay."""
        for outcome in outcomes:
            if self.withhold and outcome.blob is not None and outcome.withheld and outcome.letter is None:
                await self.withhold(outcome.blob)

    async def _report_failures(self, rows: Sequence[Row]) -> None:
        """Mark the messages that failed, so that those with another channel fall back to it."""
        failed = [
            reference
            for event, client, _, _ in rows
            if event.type in FAILURES
            for reference in references_of(event, client)
        ]

        async def refuse(_: Any, error: Exception) -> None:
            log.error("cannot mark a message as failed", error=type(error).__name__)

        if failed:
            await apart(failed, self.store.recheck_watched, refuse, self.health)

    async def _publish(self, letters: Sequence[DeadLetter]) -> None:
        """Publish dead letters. One that Kafka rejects in any form is still in the database."""
        left = list(letters)

        async def attempt() -> None:
            results = await asyncio.gather(*map(self.publish, left), return_exceptions=True)
            failed = [(letter, error) for letter, error in zip(left, results, strict=True) if error is not None]
            for letter, error in failed:
                if is_permanent(error):
                    log.error("a dead letter cannot be published", topic=letter.topic, error=type(error).__name__)
            again = [(letter, error) for letter, error in failed if not is_permanent(error)]
            left[:] = [letter for letter, _ in again]
            if again:  # a cancellation by aiokafka must not look like our own
                raise again[0][1] if isinstance(again[0][1], Exception) else TimeoutError("cancelled by aiokafka")

        await until_done("dead letter topic", attempt, self.health)
