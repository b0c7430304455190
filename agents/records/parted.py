"""Splits work into parts of bounded size, and isolates an item that makes its part fail by halving the part."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from agents.failures import is_permanent, until_done
from agents.health import WorkerHealth, worded
from agents.records.letters import MOST_ITEMS, REASON, stub_of
from agents.records.outcome import RecordOutcome
from agents.records.withheld import raw_of
from sql import DeadLetter, EventStore, Replayed, Row
from sql.customers import MANY
from webhooks.cancelled import pass_on

#: The most bytes of one transaction, or of dead letters published at once. A larger record goes alone.
BYTES = 8 << 20

T = TypeVar("T")


class TooMany(Exception):
    """Too many events of one record cannot be stored; the rest are not tried."""


def parts(items: Sequence[T], cost: Callable[[T], tuple[int, int]], most: int) -> Iterator[list[T]]:
    """Split items into consecutive parts. `cost` gives an item's bytes and count; a part has at most `BYTES` bytes and a count
    of at most `most`, unless a single item exceeds them."""
    part: list[T] = []
    size = number = 0
    for item in items:
        more, many = cost(item)
        if part and (size + more > BYTES or number + many > most):
            yield part
            part, size, number = [], 0, 0
        part.append(item)
        size, number = size + more, number + many
    if part:
        yield part


async def apart(
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], Awaitable[None]],
    alone: Callable[[T, Exception], Awaitable[None]],
    health: WorkerHealth,
) -> None:
    """Attempt all items together, with retries. If their content makes that fail permanently, halve them until the failing
    item is alone, and pass it to `alone`. The other items are not affected."""
    try:
        await until_done("database", lambda: attempt(items), health)
    except Exception as error:
        pass_on(error)
        if not is_permanent(error):
            raise
        if len(items) == 1:
            await alone(items[0], error)
            return
    else:
        return
    half = len(items) // 2
    await apart(items[:half], attempt, alone, health)
    await apart(items[half:], attempt, alone, health)


async def store_alone(store: EventStore, health: WorkerHealth, outcome: RecordOutcome, error: Exception) -> None:
    """Store those events of a record that can be stored, and one dead letter for the others."""
    events = outcome.rows
    kept: list[Row] = []
    failed: list[Exception] = []

    async def append(some: Sequence[Row]) -> None:
        raw = await raw_of([outcome], store)
        appended = await store.append(some, raw)
        health.counts["events"] += appended.appended
        health.counts["duplicates"] += appended.duplicates
        health.counts["large_customers"] += appended.largest > MANY
        if outcome.replay is not None:
            outcome.replay.events += appended.appended
        kept.extend(some)

    async def refuse(_: Row, error: Exception) -> None:
        failed.append(error)
        if len(failed) == MOST_ITEMS:
            raise TooMany

    async def bury(letters: Sequence[DeadLetter]) -> None:
        await store.append([], [], letters, replays=ended(letters))
        health.counts["dead_letters"] += len(letters)

    def ended(letters: Sequence[DeadLetter]) -> list[Replayed]:
        return [replace(replay, dead=letter) for letter in letters] if (replay := outcome.replay) else []

    async def bury_stub(letter: DeadLetter, _: Exception) -> None:
        outcome.letter = stub = stub_of(letter)
        await until_done("database", lambda: bury([stub]), health)

    try:
        if len(events) == 1:
            await refuse(events[0], error)
        elif events:
            await apart(events, append, refuse, health)
    except TooMany:
        pass
    outcome.rows = kept
    if failed:
        lost = len(events) - len(kept)
        outcome.refuse(f"{lost} of its {len(events)} events cannot be stored: {worded(failed[0], REASON)}")
    elif not events and outcome.letter is None:
        outcome.refuse(f"cannot be stored: {worded(error, REASON)}")
    if outcome.letter is not None:
        await apart([outcome.letter], bury, bury_stub, health)
    elif (replay := outcome.replay) is not None:
        # Each event was stored, in several transactions.
        noted = replace(replay, rows=len(outcome.rows))
        await until_done("database", lambda: store.note_replays([noted]), health)
