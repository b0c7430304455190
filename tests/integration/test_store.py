"""The store on real PostgreSQL: once is once, who may do what, what cannot be stored, raw webhooks, paging."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from schemas.events import Error, Event, Handle
from sql import DATA_ERRORS, Bad, DeadLetter, EventStore, Row, Unstorable
from sql.statements import statement
from tests.conftest import Dsns
from tests.support.keys import SEAL
from tests.support.letters import whole_letters

START = datetime(2026, 11, 21, tzinfo=UTC)
PHONE = "+15550000001"


def received(number: int, client: str = "default", **payload: Any) -> Row:
    event = Event(
        "MessageReceived", "twilio", str(number), channel="sms", direction="inbound", provider_message_id=f"p{number}",
        handle=Handle("phone", PHONE), payload={"content": {"text": f"no. {number}"}, **payload},
    )  # fmt: skip
    return (event, client, START + timedelta(seconds=number), None)


async def scalar(dsn: str, query: str) -> Any:
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        row = await (await db.execute(query)).fetchone()
        return row and row[0]


async def test_twice_is_once(postgres_dsn: Dsns) -> None:
    """A batch appended again, whole or in part, appends nothing."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        first = await store.append([received(n) for n in range(10)])
        again = await store.append([received(n) for n in range(5, 15)])

    assert (first.appended, first.duplicates) == (10, 0)
    assert (again.appended, again.duplicates) == (5, 5)
    assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == 15


async def test_clients_do_not_stand_in_each_others_way(postgres_dsn: Dsns) -> None:
    """The same source and event id of two clients are two events, two interactions, two customers."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        done = await store.append([received(1), received(1, "acme")])

    assert done.appended == 2
    assert await scalar(postgres_dsn.owner, "SELECT count(DISTINCT id) FROM threadline.interactions") == 2
    assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.customers") == 2


async def test_no_client_reaches_into_anothers_timelines(postgres_dsn: Dsns) -> None:
    """A client that names another's event, message, interaction and handle marks and reads nothing of that one's."""
    mine, *_ = received(1)
    mine.message_id = "m1"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([(mine, "default", START, None)])
        (handle,) = await store.customer_of("default", "phone", PHONE)
        (before,) = await store.timeline("default", handle["customer_id"])
        named = {"interactionId": str(before["id"])}
        theirs = [
            (replace(mine, type="MessageFailed", error=Error("1", None, "unknown")), "acme", START, None),
            (Event("InteractionCompleted", "crm", "9", payload=named), "acme", START, None),
            (Event("MessageRead", "twilio", "8", provider_message_id="p1"), "acme", START, None),
            (Event("MessageRead", "crm", "7", message_id="m1"), "acme", START, None),
        ]
        assert (await store.append(theirs)).appended == 4
        after = await store.timeline("default", handle["customer_id"])

        assert after == [before]
        assert len(await store.history("default", before["id"])) == 1
        assert await store.timeline("acme", handle["customer_id"]) == []
        assert await store.handles("acme", handle["customer_id"]) == []
        assert [row["type"] for row in await store.history("acme", before["id"])] == ["InteractionCompleted"]
        (other,) = await store.customer_of("acme", "phone", PHONE)
        assert other["customer_id"] != handle["customer_id"]


@pytest.mark.parametrize("act", ["UPDATE threadline.events SET type = 'x'", "DELETE FROM threadline.events", "TRUNCATE threadline.events", "DROP TABLE threadline.events", "DELETE FROM threadline.dead_letters", "UPDATE threadline.api_keys SET hash = ''"])  # fmt: skip
async def test_the_log_is_append_only_for_the_service(postgres_dsn: Dsns, act: str) -> None:
    """The role that the processes run as cannot change history, nor what was refused, nor a key's hash."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await db.execute(act)


@pytest.mark.parametrize(
    "payload",
    [
        {"a": "x\x00y"},
        {"a": "\ud800"},
        {"\x00": 1},
        {"a": float("nan")},
        {"a": "x" * 1_000_000},
        {"a": -(2**63)},
        {"a": 1e308},
    ],
    ids=["nul", "surrogate", "nul in a key", "nan", "a megabyte", "least integer", "large float"],
)
async def test_odd_values_are_kept_as_far_as_json_has_them(postgres_dsn: Dsns, payload: dict[str, Any]) -> None:
    """What PostgreSQL's text cannot hold becomes U+FFFD; nothing of it fails the batch."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        assert (await store.append([received(1), received(2, **payload), received(3)])).appended == 3


def nested(depth: int) -> dict[str, Any]:
    """Return a payload with so many levels."""
    payload: dict[str, Any] = {}
    for _ in range(depth):
        payload = {"a": payload}
    return payload


async def test_deep_payloads_come_back(postgres_dsn: Dsns) -> None:
    """Two hundred levels, and a float that JSON writes like an integer, are read as they were written."""
    payload = {**nested(200), "large": 1e308, "content": {"text": "é"}}
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([received(1, **payload)])
        (page,) = await store.timeline(
            "default", (await store.customer_of("default", "phone", PHONE))[0]["customer_id"]
        )
        (reported,) = await store.history("default", page["id"])

    assert reported["payload"] == payload | {"providerMessageId": "p1"}
    assert isinstance(reported["payload"]["large"], float)
    assert page["content"] == {"text": "é"}


@pytest.mark.parametrize(
    "payload", [{"a": 2**70}, nested(300), nested(5000), {"a": object()}], ids=["integer", "deep", "deeper", "object"]
)
async def test_what_cannot_be_stored_is_named(postgres_dsn: Dsns, payload: dict[str, Any]) -> None:
    """An integer beyond 64 bits, what is too deep, what is no JSON: the error says which event, and the batch is not
    half there."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        with pytest.raises(Unstorable) as reported:
            await store.append([received(1), received(2, **payload)])

    assert reported.value.index == 1
    assert isinstance(reported.value, DATA_ERRORS)
    assert await scalar(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == 0


@pytest.mark.parametrize("year", [1, 1970, 2100, 9999])
async def test_times_out_of_place_are_kept_and_bounded(postgres_dsn: Dsns, year: int) -> None:
    """The log has what the provider reported; a fact is never later than our receipt of it."""
    row = received(1)
    row[0].occurred_at = datetime(year, 1, 1, tzinfo=UTC)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([row])
    at = await scalar(postgres_dsn.owner, "SELECT timestamp <= '2026-11-21 00:00:01+00' FROM threadline.interactions")

    assert at is True
    assert (
        await scalar(
            postgres_dsn.owner, "SELECT extract(year FROM occurred_at AT TIME ZONE 'UTC')::int FROM threadline.events"
        )
        == year
    )


async def test_raw_records_come_back_byte_for_byte(postgres_dsn: Dsns) -> None:
    """A block gives its records as they were; the events of the batch name it."""
    raw = [b"", b"\x00\xff" * 1000, b'{"id":"0193a5b0-0000-7000-8000-000000000001"}\nbody']
    event, client, at, _ = received(1)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.ensure_partitions(1)
        await store.append([(event, client, at, "0193a5b0-0000-7000-8000-000000000001")], raw)
        block = await scalar(postgres_dsn.owner, "SELECT webhook_block FROM threadline.events")

        assert await store.read_raw(block) == raw
        assert await store.read_raw(block, "0193a5b0-0000-7000-8000-000000000001") == raw[2:]


async def test_days_of_raw_webhooks_are_made_and_dropped(postgres_dsn: Dsns) -> None:
    """The days ahead are there, once; none of the kept ones is dropped."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        made = await store.ensure_partitions(2)

        assert len(made) == 3
        assert await store.ensure_partitions(2) == []
        assert await store.drop_partitions(1) == []


async def test_a_dead_letter_is_kept_once(postgres_dsn: Dsns) -> None:
    """The same record's letter again changes nothing; NUL in its reason is no obstacle, nor is what JSON has no word for."""
    bad = Bad(3, "\ud800", {"native": "\x00"})
    letter = DeadLetter("t", 0, 7, "be\x00cause", detail={"b": 2**80}, value=b"\x00", bad=40, items=[bad], size=1)
    bare = DeadLetter("t", 0, 8, "nothing there")
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([], [], [bare])
        for _ in range(2):
            await store.append([], [], [letter, bare])
        nothing, found = sorted(await whole_letters(store), key=lambda row: int(row["offset"]), reverse=True)

    assert (found["reason"], found["bad"], found["value"], found["size"]) == ("be\ufffdcause", 40, b"\x00", 1)
    assert found["items"] == [{"ordinal": 3, "reason": "\ufffd", "detail": {"native": "\ufffd"}}]
    assert (nothing["value"], nothing["items"], nothing["digest"]) == (None, [], None)


async def test_the_timeline_is_read_by_its_index(postgres_dsn: Dsns) -> None:
    """A page of a customer reads the rows that it shows, not all that there are."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([received(n) for n in range(3000)])
        (handle,) = await store.customer_of("default", "phone", PHONE)
    text = statement("timeline")
    given = {"client_id": "default", "customer_id": handle["customer_id"], "limit": 50}
    wanted = {name: given.get(name) for name in re.findall(r"%\((\w+)\)s", text.decode())}
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        await db.execute(statement("session"))
        plan = "\n".join(row[0] for row in await (await db.execute(b"EXPLAIN " + text, wanted)).fetchall())

    assert "interactions_timeline" in plan


async def test_paging_is_stable_while_rows_arrive(postgres_dsn: Dsns) -> None:
    """Whoever turns the pages sees each interaction that was there once, newest first, whatever arrives meanwhile; many
    of one instant are distinguished."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        there = [received(n) for n in range(30)]
        await store.append(
            [(event, client, START + timedelta(seconds=n // 10), None) for n, (event, client, _, _) in enumerate(there)]
        )
        (handle,) = await store.customer_of("default", "phone", PHONE)
        seen: list[dict[str, Any]] = []
        before = None
        while page := await store.timeline("default", handle["customer_id"], before=before, limit=7):
            seen += page
            before = (page[-1]["timestamp"], page[-1]["id"])
            await store.append([received(1000 + len(seen) + n) for n in range(3)])
        first = await store.timeline("default", handle["customer_id"], limit=1)

    keys = [(row["timestamp"], row["id"]) for row in seen]
    assert len(set(keys)) == 30
    assert keys == sorted(keys, reverse=True)
    assert first[0]["id"] not in {row["id"] for row in seen}


async def test_old_days_are_dropped_and_late_days_are_sorted_in(postgres_dsn: Dsns) -> None:
    """What came before its day had a partition stays readable when it gets one; a day past its time is gone."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute(
            "CREATE TABLE threadline.raw_webhooks_20200101 PARTITION OF threadline.raw_webhooks "
            "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
        )
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([], [b"late"])
        assert (await store.counts())["unpartitioned_blocks"] == 1
        await store.ensure_partitions(0)
        assert (await store.counts())["unpartitioned_blocks"] == 0
        block = await scalar(postgres_dsn.owner, "SELECT block FROM threadline.raw_webhooks")
        assert await store.drop_partitions(30) == ["raw_webhooks_20200101"]
        assert await store.read_raw(block) == [b"late"]
        assert await store.read_raw(block + 1) == []


async def test_months_of_the_log_are_made_ahead_and_none_is_refused(postgres_dsn: Dsns) -> None:
    """What comes in a month without a partition is kept, counted, and sorted in when the month gets one; the service may read it,
    and may not write past the log."""
    now = datetime.now(UTC)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute(f"DROP TABLE threadline.events_{now:%Y%m}")
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
            await store.append([received(1)])
            assert (await store.append([received(1), received(2)])).appended == 1
            assert (await store.unpartitioned())["events"] == (await store.counts())["unpartitioned_events"] == 2
            assert await store.ensure_event_partitions(1) == [f"events_{now:%Y%m}"]
            assert await store.ensure_event_partitions(1) == []
            assert (await store.unpartitioned())["events"] == 0
            assert len(await store.ensure_event_partitions(3)) == 2
            assert (await store.append([received(1), received(3)])).appended == 1
    assert await scalar(postgres_dsn.owner, f"SELECT count(*) FROM threadline.events_{now:%Y%m}") == 3
    rights = "SELECT has_table_privilege('threadline_service', 'threadline.event_ids', 'UPDATE, DELETE, TRUNCATE')"
    assert await scalar(postgres_dsn.owner, rights) is False


async def test_two_writers_of_the_same_events_add_each_once(postgres_dsn: Dsns) -> None:
    """Eight writers at once, each with all events in another order, twice: no deadlock, and each event once in the log."""
    rows = [received(n) for n in range(200)]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=8) as store:
        turns = [rows[n * 25 :] + rows[: n * 25] for n in range(8)]
        appended = await asyncio.gather(*(store.append(turn + turn[:50]) for turn in turns))
    assert sum(each.appended for each in appended) == 200
    once = "SELECT count(*) = count(DISTINCT e.id) AND count(*) = 200 AND count(i.id) = 200 FROM threadline.events e LEFT JOIN threadline.event_ids i USING (id, xid, position, recorded_at)"
    assert await scalar(postgres_dsn.owner, once) is True


@pytest.mark.parametrize("table", ["api_keys", "dead_letters", "raw_webhooks", "raw_webhooks_default"])
async def test_the_reader_sees_neither_hashes_nor_bodies(postgres_dsn: Dsns, table: str) -> None:
    """Who may read timelines may read no key's hash, nor webhooks as they came; and may write nothing."""
    query = f"SELECT has_table_privilege('threadline_reader', 'threadline.{table}', 'SELECT')"
    assert await scalar(postgres_dsn.owner, query) is False
    writes = "SELECT count(*) FROM pg_class c, aclexplode(c.relacl) a WHERE a.grantee = 'threadline_reader'::regrole AND a.privilege_type <> 'SELECT'"
    assert await scalar(postgres_dsn.owner, writes) == 0


async def test_waiting_for_a_connection_is_reported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is away is reported after one waiting time, not after two."""
    monkeypatch.setattr("sql.pool.WAIT", 0.5)
    async with await EventStore.open("postgresql://nobody@127.0.0.1:1/nowhere", SEAL, pool=1) as store:
        with pytest.raises(PoolTimeout):
            await store.counts()
        assert store._pool.get_stats()["requests_num"] == 1
