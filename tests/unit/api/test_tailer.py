"""The log's one reader: what it passes on, to whom, when it reads at all, and that nothing is left out.

The log here is a list in memory with the property that matters: an event's place is handed out before it can be
seen.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from app.api.cursors import Place
from app.api.tailer import BACKLOG, BATCH, Change, Ended, Listener, Tailer, place_of


@dataclass
class Transaction:
    """Events (position, interaction, customer) that are seen once it has ended."""

    xid: int
    events: list[tuple[int, UUID, UUID]] = field(default_factory=list)
    running: bool = True


@dataclass
class MemoryLog:
    """Hands out places as PostgreSQL does; counts what it is asked."""

    transactions: list[Transaction] = field(default_factory=list)
    positions: int = 0
    asked: int = 0
    errors: list[Exception] = field(default_factory=list)
    #: Interactions that cannot be opened.
    closed: set[UUID] = field(default_factory=set)

    def begin(self) -> Transaction:
        """A transaction that has its id."""
        self.transactions.append(Transaction(100 + len(self.transactions)))
        return self.transactions[-1]

    def add(self, transaction: Transaction, interaction: UUID, customer: UUID) -> Place:
        """An event of a running transaction."""
        self.positions += 1
        transaction.events.append((self.positions, interaction, customer))
        return transaction.xid, self.positions

    def commit(self, interaction: UUID, customer: UUID) -> Place:
        """An event in a transaction of its own."""
        transaction = self.begin()
        place = self.add(transaction, interaction, customer)
        transaction.running = False
        return place

    async def horizon(self) -> int:
        """As the store's."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop()
        return min((one.xid for one in self.transactions if one.running), default=100 + len(self.transactions))

    async def changes_since(
        self, *, xid: int, position: int, horizon: int, customers: Sequence[UUID], limit: int
    ) -> Sequence[Change]:
        """As the store's."""
        await asyncio.sleep(0)
        if self.errors:
            raise self.errors.pop()
        last: dict[UUID, dict[str, Any]] = {}
        for one in self.transactions:
            for at, interaction, customer in sorted(one.events):
                if not one.running and (xid, position) < (one.xid, at) and one.xid < horizon and customer in customers:
                    last[interaction] = {
                        "id": interaction,
                        "customer_id": customer,
                        "asked_for": [customer],
                        "change_xid": one.xid,
                        "change_position": at,
                        "client_id": "shop",
                        **({"closed": True} if interaction in self.closed else {}),
                    }
        return sorted(last.values(), key=place_of)[:limit]


@asynccontextmanager
async def listening(tailer: Tailer, customer: UUID) -> AsyncIterator[Listener]:
    """A listener that has joined, and leaves."""
    listener = tailer.join(customer)
    try:
        async with asyncio.timeout(5):
            await listener.joined
        yield listener
    finally:
        tailer.leave(customer, listener)


async def taken(listener: Listener, count: int) -> list[Change]:
    """The next changes, until there are so many."""
    changes: list[Change] = []
    async with asyncio.timeout(5):
        while len(changes) < count:
            changes += await listener.take(1)
    return changes


async def test_what_cannot_be_opened_ends_its_customers_streams_only() -> None:
    """Another customer's, who may be another client's, goes on."""
    log, ana, ben, damaged, sound = MemoryLog(), uuid4(), uuid4(), uuid4(), uuid4()
    log.closed.add(damaged)
    tailer = Tailer(log, poll=0.01)
    async with listening(tailer, ana) as hers, listening(tailer, ben) as his:
        log.commit(damaged, ana)
        log.commit(sound, ben)
        assert [change["id"] for change in await taken(his, 1)] == [sound]
        with pytest.raises(Ended, match="decrypted"):
            await hers.take(1)
        log.commit(sound, ben)
        assert len(await taken(his, 1)) == 1 and tailer.reading


async def test_change_reaches_its_customers_listeners_only() -> None:
    """Two listeners of one customer hear of it, one of another customer does not."""
    log, ana, ben = MemoryLog(), uuid4(), uuid4()
    tailer = Tailer(log, poll=0.005)
    async with (
        listening(tailer, ana) as one,
        listening(tailer, ana) as two,
        listening(tailer, ben) as other,
    ):
        place = log.commit(uuid4(), ana)
        assert [place_of(change) for change in await taken(one, 1)] == [place]
        assert [place_of(change) for change in await taken(two, 1)] == [place]
        assert await other.take(0.05) == []


async def test_log_is_read_only_while_somebody_listens() -> None:
    """Without a listener there is no question; the last one to leave ends the reading."""
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.001)
    assert not tailer.reading
    async with listening(tailer, ana):
        assert tailer.reading
    await asyncio.sleep(0.01)
    asked = log.asked
    await asyncio.sleep(0.02)
    assert log.asked == asked
    assert not tailer.reading
    async with listening(tailer, ana) as again:
        log.commit(uuid4(), ana)
        assert len(await taken(again, 1)) == 1


async def test_many_listeners_cost_one_question_at_a_time() -> None:
    """The number of questions does not grow with the number of listeners."""
    log = MemoryLog()
    tailer = Tailer(log, poll=0.02)
    customers = [uuid4() for _ in range(200)]
    listeners = [tailer.join(customer) for customer in customers]
    await asyncio.sleep(0.2)
    assert log.asked <= 12
    for customer, listener in zip(customers, listeners, strict=True):
        tailer.leave(customer, listener)


async def test_transaction_that_commits_late_is_streamed_late_never_skipped() -> None:
    """An older transaction still running holds back what is passed on; once it commits, both are, in their order."""
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.002)
    async with listening(tailer, ana) as listener:
        slow = log.begin()
        early = log.add(slow, uuid4(), ana)
        late = log.commit(uuid4(), ana)
        assert await listener.take(0.05) == []
        slow.running = False
        assert [place_of(change) for change in await taken(listener, 2)] == [early, late]


async def test_everything_is_streamed_once_and_in_order_under_random_commits() -> None:
    """Whatever the order of commits, every change of a customer is passed on exactly once by its last place."""
    draw = random.Random(20260203)
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.001)
    places: list[Place] = []
    async with listening(tailer, ana) as listener:
        running: list[Transaction] = []
        reported: list[Change] = []
        for _ in range(300):
            if running and draw.random() < 0.5:
                running.pop(draw.randrange(len(running))).running = False
            else:
                running.append(log.begin())
                places += [log.add(running[-1], uuid4(), ana) for _ in range(draw.randrange(3))]
            if draw.random() < 0.3:
                reported += await listener.take(0.002)
        for transaction in running:
            transaction.running = False
        reported += await taken(listener, len(places) - len(reported))
    assert [place_of(change) for change in reported] == sorted(places)


async def test_more_than_a_batch_is_streamed_whole() -> None:
    """A burst above one question's limit arrives in several, with nothing between them left out."""
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.002)
    async with listening(tailer, ana) as listener:
        burst = log.begin()
        places = [log.add(burst, uuid4(), ana) for _ in range(BATCH + 7)]
        burst.running = False
        assert [place_of(change) for change in await taken(listener, len(places))] == places


async def test_error_of_the_database_is_outlived() -> None:
    """While the database is away nothing is passed on; when it is back, what was appended meanwhile is."""
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.002, away=0.01)
    async with listening(tailer, ana) as listener:
        log.errors = [psycopg.OperationalError("away") for _ in range(3)]
        place = log.commit(uuid4(), ana)
        assert [place_of(change) for change in await taken(listener, 1)] == [place]


async def test_error_of_ours_lets_the_listeners_go_and_the_next_one_be_served() -> None:
    """A fault in reading ends the streams, which come back, instead of leaving them silent."""
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.002)
    async with listening(tailer, ana) as listener:
        log.errors = [ZeroDivisionError("a fault")]
        with pytest.raises(Ended, match="error"):
            await taken(listener, 1)
    async with listening(tailer, ana) as listener:
        log.commit(uuid4(), ana)
        assert len(await taken(listener, 1)) == 1


async def test_listener_who_reads_too_slowly_is_let_go() -> None:
    """What waits for one listener is bounded: past it he is sent away, to come back and read the rest elsewhere."""
    listener = Listener()
    changes = [{"id": uuid4(), "change_xid": 1, "change_position": n} for n in range(BACKLOG + 1)]
    listener.put(changes[:BACKLOG])
    assert len(await listener.take(1)) == BACKLOG
    listener.put(changes)
    with pytest.raises(Ended, match="slowly"):
        await listener.take(1)
    with pytest.raises(Ended, match="slowly"):
        await listener.take(1)


async def test_changes_of_one_interaction_wait_as_its_latest() -> None:
    """An interaction that changes while its listener is busy is passed on once, as it is now, at its last place."""
    listener, one, two = Listener(), uuid4(), uuid4()
    listener.put([{"id": one, "change_xid": 1, "change_position": 1}])
    listener.put([{"id": two, "change_xid": 1, "change_position": 2}])
    listener.put([{"id": one, "change_xid": 1, "change_position": 3}])
    assert [(change["id"], place_of(change)) for change in await listener.take(1)] == [(two, (1, 2)), (one, (1, 3))]


async def test_closing_lets_everyone_go() -> None:
    """At the process's end no stream keeps it alive, one that begins just then included."""
    log, ana = MemoryLog(), uuid4()
    tailer = Tailer(log, poll=0.002)
    async with listening(tailer, ana) as listener:
        tailer.close()
        with pytest.raises(Ended, match="restarting"):
            await listener.take(1)
        late = tailer.join(ana)
        with pytest.raises(Ended, match="restarting"):
            await late.take(1)
        tailer.leave(ana, late)
