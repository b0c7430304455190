"""Which messages a claim finds, and what it reads to find them, on a real PostgreSQL."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, cast

import psycopg
import pytest
from psycopg.rows import dict_row

from sql import EventStore, Reference
from sql.messages import LaneReport
from sql.parameters import json
from sql.statements import statement
from tests.conftest import Dsns
from tests.integration.test_sending_store import Lane, asked, event_of, new, settled
from tests.support.keys import SEAL

#: What stays unclaimed for good where it is missing: a hint that is due when the message is.
PASSED_OVER: LiteralString = """
    SELECT m.message_id, m.due_at FROM messages AS m
    WHERE m.waiting AND NOT EXISTS (
        SELECT FROM lanes_due AS h
        WHERE h.lane = m.lane AND (
            h.state = 'ready'
            OR h.due_at <= m.due_at
            OR (h.state = 'resting' AND h.due_at <= now() + interval '10 seconds')
        )
    )
"""
#: The messages that are due and may leave, by all lanes that there are.
DUE: LiteralString = """
    SELECT m.id FROM messages AS m JOIN lanes AS l ON l.id = m.lane
    WHERE m.waiting AND m.due_at <= now() AND (l.open_until IS NULL OR l.open_until <= now())
"""
MANY: LiteralString = """
    WITH made AS (
        INSERT INTO lanes (id, client_id, account, tokens, burst, concurrency)
        SELECT lane_id('c' || n, 'twilio'), 'c' || n, 'twilio', 1, 1, 64 FROM generate_series(1, %s::integer) AS n
        RETURNING id, client_id
    )
    INSERT INTO messages (
        due_at, id, lane, priority, state, client_id, message_id, channel, account, request, fingerprint
    )
    SELECT now() + interval '1 day', md5(client_id)::uuid, id, 1, 'held', client_id, 'held', 'sms', 'twilio', '{}', ''
    FROM made
"""


@asynccontextmanager
async def owner(dsns: Dsns) -> AsyncIterator[psycopg.AsyncConnection[dict[str, Any]]]:
    """Yield a connection as the owner, set up like the store's."""
    async with await psycopg.AsyncConnection.connect(dsns.owner, autocommit=True, row_factory=dict_row) as connection:
        await connection.execute(statement("session"))
        yield connection


async def explained(connection: psycopg.AsyncConnection[Any], name: str, parameters: dict[str, Any]) -> int:
    """Return how many blocks of 8 KiB a statement reads."""
    query = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + statement(name)
    row = await (await connection.execute(cast(Any, query), parameters)).fetchone()
    assert row is not None
    plan = row["QUERY PLAN"][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


async def test_an_idle_look_costs_the_same_however_many_lanes_there_are(postgres_dsn: Dsns) -> None:
    """With thousands of lanes whose messages are held till tomorrow, a claim reads no lane and no message."""
    looks = {"most": 64, "lease": 60.0, "busy": json(b"{}"), "trouble": 10, "rest": 10.0, "looks": 128}
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store, owner(postgres_dsn) as connection:
        few = await explained(connection, "claim", looks)
        await connection.execute(MANY, [3000])
        for _ in range(100):  # what a new lane leaves to be looked at
            assert await store.claim(64, 60, {}) == []
        await connection.execute("VACUUM ANALYZE lanes_due")
        assert await explained(connection, "claim", looks) <= few + 20
        assert not await store.claimable()
        assert await explained(connection, "claimable", {"rest": 10.0}) <= 16
        (left,) = await (await connection.execute("SELECT count(*) AS n FROM lanes_due")).fetchall()
        assert left["n"] == 3000


async def test_a_claim_reads_of_what_is_due_alone(postgres_dsn: Dsns) -> None:
    """One lane of thousands has one message: it is found, and the others are not looked at."""
    looks = {"most": 64, "lease": 60.0, "busy": json(b"{}"), "trouble": 10, "rest": 10.0, "looks": 128}
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store, owner(postgres_dsn) as connection:
        await connection.execute(MANY, [3000])
        await connection.execute("DELETE FROM lanes_due WHERE state = 'ready'")
        request = asked(1, "c7")
        await store.accept([new(request)])
        assert await explained(connection, "claim", looks) < 300
        row = await store.message("c7", "m-1")
        assert row is not None and row["state"] == "sending"


class Crowd:
    """Services, workers and providers that do as they please with some lanes, all at once."""

    def __init__(self, store: EventStore, seed: int) -> None:
        self.store, self.random, self.number = store, random.Random(seed), 0
        self.claimed: list[dict[str, Any]] = []
        self.lanes: list[Lane] = [(f"c{number}", "twilio", None, 10, 1000) for number in range(6)]

    async def act(self) -> None:
        """Do one of the actions, at random."""
        await self.random.choice(
            [self.accept, self.accept, self.claim, self.claim, self.settle, self.settle, self.cancel, self.release,
             self.notified, self.trouble, self.configure]
        )()  # fmt: skip

    async def accept(self) -> None:
        """Accept messages for now, for soon and for later."""
        requests = []
        for _ in range(self.random.randint(1, 5)):
            self.number += 1
            requests.append(asked(self.number, self.random.choice(self.lanes)[0]))
        wait = self.random.choice([None, -3600, 0.05, 0.2, 3600])
        due_at = None if wait is None else datetime.now(UTC) + timedelta(seconds=wait)
        lanes = {lane[0]: lane for lane in self.lanes}
        await self.store.accept([new(each, due_at=due_at, lane=lanes[each.client_id]) for each in requests])

    async def claim(self) -> None:
        """Claim messages as a worker, which may die and leave them."""
        rows = await self.store.claim(self.random.randint(1, 30), self.random.choice([0.02, 0.1, 60]), {})
        self.claimed.extend(rows)

    async def settle(self) -> None:
        """Settle some claimed messages, perhaps long after another worker claimed them."""
        self.random.shuffle(self.claimed)
        rows, self.claimed = self.claimed[:5], self.claimed[5:]
        states = ["sent", "retrying", "held", "watched", "unanswered", "failed", "queued"]
        given = [settled(row, self.random.choice(states), due_in=self.random.choice([0, 0.05, 3600])) for row in rows]
        await self.store.settle(given, [])

    async def _any(self) -> tuple[str, str]:
        return self.random.choice(self.lanes)[0], f"m-{self.random.randint(1, self.number + 1)}"

    async def cancel(self) -> None:
        """Cancel a message as its client."""
        client, message = await self._any()
        await self.store.cancel(client, message, event_of(asked(self.number + 1, client)))

    async def release(self) -> None:
        """Release a message."""
        await self.store.release(*await self._any(), True, "test")

    async def notified(self) -> None:
        """Record that a provider reports a failure."""
        client, message = await self._any()
        await self.store.recheck_watched([Reference(client, "twilio", message)])

    async def trouble(self) -> None:
        """Record that an account fails, works again, or asks for a pause."""
        lanes = sorted({str(row["lane"]) for row in self.claimed[:3]})
        ways: list[dict[str, Any]] = [
            {"fault": True, "failed": True},
            {"passed": True},
            {"pause": 0.2},
            {"pause": 3600.0},
        ]
        await self.store.note_lanes([LaneReport(lane, trouble="503", **self.random.choice(ways)) for lane in lanes])

    async def configure(self) -> None:
        """Change an account's rate."""
        place = self.random.randrange(len(self.lanes))
        client = self.lanes[place][0]
        self.lanes[place] = (client, "twilio", self.random.choice([None, None, 0.001, 50.0]), 3, 1000)
        await self.store.set_lanes([self.lanes[place]])


@pytest.mark.parametrize("seed", range(6))
async def test_nothing_that_is_due_is_passed_over(postgres_dsn: Dsns, seed: int) -> None:
    """Whatever several workers and services do at once, at each pause every waiting message has a hint, and in the end
    all are claimed that a search of every lane finds."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store, owner(postgres_dsn) as connection:
        crowd = Crowd(store, seed)
        for _ in range(25):
            await asyncio.gather(*(crowd.act() for _ in range(6)))
            assert await (await connection.execute(PASSED_OVER)).fetchall() == []
        # Accounts are well again, and their rates gone: all that is due may leave.
        await connection.execute("UPDATE lanes SET open_until = NULL, probing_until = NULL, failures = 0, rate = NULL")
        await asyncio.sleep(0.3)
        due = {str(row["id"]) for row in await (await connection.execute(DUE)).fetchall()}
        found: set[str] = set()
        # As the sender does: a claim only where a look says that there is something.
        while await store.claimable():
            found.update(str(row["id"]) for row in await store.claim(50, 3600, {}))
        assert found == due and (due or seed)
        (later,) = await (
            await connection.execute("SELECT count(*) AS n FROM lanes_due WHERE state <> 'later'")
        ).fetchall()
        assert later["n"] == 0


async def test_a_lane_that_rests_goes_on_as_soon_as_it_may(postgres_dsn: Dsns) -> None:
    """Its hint says when its account may be used again; if that is sooner than was thought, it leaves sooner."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        request = asked(1)
        await store.accept([new(request, lane=("shop", "twilio", None, 10, 10))])
        (row,) = await store.claim(1, 60, {})
        lane = str(row["lane"])
        await store.settle([settled(row, "retrying", due_in=0)], [])
        await store.note_lanes([LaneReport(lane, pause=3600.0, trouble="429")])
        assert await store.claim(1, 60, {}) == await store.claim(1, 60, {}) == []
        assert not await store.claimable()
        await store.note_lanes([LaneReport(lane, passed=True)])
        assert await store.claimable()
        assert len(await store.claim(1, 60, {})) == 1


async def test_a_clock_that_was_set_back_keeps_no_lane_resting(postgres_dsn: Dsns) -> None:
    """A hint that lies further ahead than any pause was written before the clock was set back, and is ignored."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store, owner(postgres_dsn) as connection:
        request = asked(1)
        await store.accept([new(request, lane=("shop", "twilio", None, 10, 10))])
        await connection.execute("UPDATE lanes_due SET state = 'resting', due_at = now() + interval '1 hour'")
        assert await store.claimable()
        assert len(await store.claim(1, 60, {})) == 1


async def test_more_lanes_than_a_look_takes_in_take_turns(postgres_dsn: Dsns) -> None:
    """Of 400 lanes with three messages each, none gets its second before each had its first."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        lanes: list[Lane] = [(f"c{number}", "twilio", None, 10, 10) for number in range(400)]
        await store.accept([new(asked(number, lane[0]), lane=lane) for lane in lanes for number in range(3)])
        order: list[str] = []
        while rows := await store.claim(20, 60, {}):
            order.extend(row["client_id"] for row in rows)
        assert len(order) == 1200
        for turn in range(3):
            assert len(set(order[turn * 400 : turn * 400 + 400])) == 400
