"""Work that is too much at once, or of which one part is at fault: in parts of bounded size, and halved until that stands alone."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TypeVar

from agents.failures import is_permanent, until_done
from agents.health import Health
from agents.records.letters import MOST_ITEMS, REASON, stub_of
from agents.records.outcome import Outcome
from sql import DeadLetter, EventStore, Row

#: Bytes that one transaction, or one stretch of dead letters, takes at the most (or one record, should that make more).
BYTES = 8 << 20

T = TypeVar("T")


class TooMany(Exception):
    """So many rows of one record cannot be stored that the rest of them is not tried."""


def parts(items: Sequence[T], cost: Callable[[T], tuple[int, int]], most: int) -> Iterator[list[T]]:
    """These in their order, in parts of at most `BYTES` bytes and `most` of what else each costs; one that costs more by
    itself is a part of its own."""
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
    health: Health,
) -> None:
    """Attempt it with all of them, until it is done; where the content of one makes that impossible for good, halve until
    that stands `alone`, so that it holds up none of its neighbours."""
    try:
        await until_done("database", lambda: attempt(items), health)
    except Exception as error:
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


async def store_alone(store: EventStore, health: Health, outcome: Outcome, error: Exception) -> None:
    """Store of a record that cannot be stored as it is those of its events that can, and a dead letter for the others."""
    events = list(zip(outcome.rows, outcome.written, strict=True))
    kept: list[tuple[Row, bytes]] = []
    failed: list[Exception] = []

    async def append(some: Sequence[tuple[Row, bytes]]) -> None:
        raw = [outcome.raw] if outcome.raw is not None else []
        appended = await store.append([row for row, _ in some], raw, (), [data for _, data in some])
        health.counts["events"] += appended.appended
        health.counts["duplicates"] += appended.duplicates
        kept.extend(some)

    async def refuse(_: tuple[Row, bytes], error: Exception) -> None:
        failed.append(error)
        if len(failed) == MOST_ITEMS:
            raise TooMany

    async def bury(letters: Sequence[DeadLetter]) -> None:
        await store.append([], [], letters)
        health.counts["dead_letters"] += len(letters)

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
    outcome.rows, outcome.written = [row for row, _ in kept], [data for _, data in kept]
    if failed:
        lost = len(events) - len(kept)
        outcome.refuse(f"{lost} of its {len(events)} events cannot be stored: {_worded(failed[0])}")
    elif not events and outcome.letter is None:
        outcome.refuse(f"cannot be stored: {_worded(error)}")
    if outcome.letter is not None:
        await apart([outcome.letter], bury, bury_stub, health)


def _worded(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:REASON]
