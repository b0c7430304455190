"""Interactions end when their client's days for their channel are over, with all that is theirs; the log keeps that they were."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest
import pytest_asyncio

from agents.health import WorkerHealth
from agents.process.expiry import Expiry
from schemas.events import CHANNELS, Error, Event, Handle
from sql import EventStore, Row
from sql.rebuild import rebuild
from sql.retention import STORES
from sql.statements import statement
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.erasures import places
from tests.integration.test_contents import plainly
from tests.integration.test_rebuild import read, tables
from tests.integration.test_sending_store import accept, asked, settled
from tests.support.keys import SEAL

WORDS, OTHERS = "my secret is Krautkopf", "her secret is Blumenkohl"
ANA, BO = Handle("phone", "+15551230001"), Handle("phone", "+15551230002")
NOW = datetime.now(UTC)
ROUTES = {"channels": [{"channel": "sms", "account": "twilio"}]}
EVENTS = "SELECT to_jsonb(e) FROM threadline.events e ORDER BY xid, position"
EMPTIED = "SELECT type FROM threadline.events WHERE source_event_id = 'expired ' || id ORDER BY type"


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it, so that its privileges are tested too."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def keeps(store: EventStore, client: str = "shop", **days: int) -> None:
    """Set for how many days a client keeps its channels."""
    await store.set_client(client, ROUTES | {"retention": days}, "test")


def said(number: int, days: float, client: str = "shop", type: str = "MessageReceived", **more: Any) -> Row:
    """An event of so many days ago, about the provider's message `pN`."""
    at = NOW - timedelta(days=days)
    fields: dict[str, Any] = {
        "channel": "sms", "direction": "inbound", "provider_message_id": f"p{number}", "handle": ANA, "occurred_at": at,
        "payload": {"content": {"text": WORDS if days > 30 and client == "shop" else OTHERS}},
    }  # fmt: skip
    return (Event(type, "twilio", f"{type}-{number}", **(fields | more)), client, at, None)


async def removed(store: EventStore, **more: Any) -> dict[str, int]:
    """Remove what is due; return the numbers by table."""
    counts: Counter[str] = Counter()

    def note(table: str, rows: int) -> None:
        counts[table] += rows

    assert await store.remove_expired({}, note, pause=0, **more)
    return dict(counts)


async def shown(store: EventStore, client: str = "shop", handle: Handle = ANA) -> list[str]:
    """The messages of a handle's customer, by the provider's ids."""
    (known,) = await store.customer_of(client, handle.kind, handle.value)
    return sorted(one["provider_message_id"] for one in await store.timeline(client, known["customer_id"]))


async def aged(dsns: Dsns, days: float) -> None:
    """Have everything been recorded so many days ago, which nobody can do who appends."""
    async with await psycopg.AsyncConnection.connect(dsns.owner) as db:
        await db.execute("SET search_path = threadline")
        for table in ("events", "event_ids"):
            await db.execute(f"UPDATE {table} SET recorded_at = recorded_at - %s".encode(), [timedelta(days=days)])


async def test_what_is_older_goes_and_nothing_else(
    store: EventStore, postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor what another channel or client keeps; what is gone is not in the database, and a rebuild gives the same."""
    plainly(monkeypatch)
    error = Error("30003", WORDS, "unreachable")
    await keeps(store, sms=30)
    await store.append(
        [
            *(said(number, 31) for number in range(7)),
            said(1, 20, type="MessageFailed", error=error),
            said(7, 29),
            said(8, 400, channel="email", payload={"content": {"text": OTHERS}}),
            said(9, 31, handle=BO),
            *(said(number, 400, "other") for number in range(3)),
        ]
    )
    counts = await removed(store, step=3)
    assert counts == {"interactions": 8, "events": 9}
    assert await shown(store) == ["p7", "p8"] and await shown(store, handle=BO) == []
    assert await shown(store, "other") == ["p0", "p1", "p2"]
    assert await places(postgres_dsn, WORDS) == {}
    assert set(await places(postgres_dsn, OTHERS)) >= {"events", "interactions"}
    assert await read(postgres_dsn.owner, EMPTIED) == ["MessageFailed"] + ["MessageReceived"] * 8
    (failed,) = [each for each in await read(postgres_dsn.owner, EVENTS) if each["type"] == "MessageFailed"]
    assert (failed["payload"], failed["error"], failed["reference"]) == ({}, {"reason": "unreachable"}, None)
    assert failed["channel"] == "sms" and failed["handle_id"] is not None and failed["occurred_at"] is not None
    before = await tables(postgres_dsn.owner)
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == before
    assert await removed(store) == {}


async def test_a_repeat_of_what_is_gone_changes_nothing(store: EventStore, postgres_dsn: Dsns) -> None:
    """What is told anew of it makes an interaction of its own, which goes in its turn."""
    await keeps(store, default=30)
    rows = [said(1, 31), said(2, 40, channel="email"), said(3, 31, channel=None, type="MessageRequested")]
    await store.append(rows)
    assert await removed(store) == {"interactions": 3, "events": 3}
    for _ in range(2):
        assert (await store.append(rows)).appended == 0
    assert await shown(store) == []
    await store.append(
        [said(1, 31, payload={"content": {"text": "said anew"}}), said(2, 1, type="MessageRead", channel="email")]
    )
    assert await shown(store) == ["p1", "p2"]
    assert await removed(store) == {"interactions": 1, "events": 1}
    assert await shown(store) == ["p2"]
    before = await tables(postgres_dsn.owner)
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == before


async def test_consents_outlive_what_they_came_with(store: EventStore, postgres_dsn: Dsns) -> None:
    """Also after a rebuild: an opt-out has no end. What else it said goes, and what a provider said of no message."""
    await keeps(store, sms=30)
    extra = {"basis": "link", "displayName": WORDS}
    await store.append(
        [
            said(1, 31, type="RecipientUnsubscribed", payload=extra),
            said(2, 31, type="RecipientUnsubscribed", payload=extra, provider_message_id=None, handle=BO),
            said(
                3,
                31,
                type="ProviderEventReceived",
                provider_message_id=None,
                handle=None,
                error=Error("1", WORDS, "unknown"),
            ),
            said(4, 31, type="ProviderEventReceived", provider_message_id=None, channel="email"),
        ]
    )
    assert await removed(store) == {"interactions": 1, "events": 1}
    await aged(postgres_dsn, 31)
    before = await read(postgres_dsn.owner, "SELECT to_jsonb(c) FROM threadline.consents c ORDER BY handle_id")
    assert await removed(store, step=1) == {"events": 2} and len(before) == 2
    kept = await read(postgres_dsn.owner, "SELECT payload FROM threadline.events WHERE type LIKE 'Recipient%'")
    assert kept == [{"basis": "link"}] * 2
    assert len(await read(postgres_dsn.owner, EMPTIED)) == 3
    await rebuild(postgres_dsn.owner)
    assert await read(postgres_dsn.owner, "SELECT to_jsonb(c) FROM threadline.consents c ORDER BY handle_id") == before


async def test_messages_go_with_their_interactions_but_not_before_they_have_ended(
    store: EventStore, postgres_dsn: Dsns
) -> None:
    """One that waits at that age stays with its timeline; deliveries, attempts and keys go."""
    await keeps(store, sms=30)
    await accept(store, asked(1), asked(2))
    sent, _ = sorted(await store.claim(2, 60, {}), key=lambda row: str(row["message_id"]))
    assert await store.begin([(str(sent["id"]), sent["claims"], "sms", "twilio")])
    (event, client, _, webhook) = said(1, 31, type="UserMessageSent", message_id="m-1")
    await store.settle([settled(sent, "sent")], [(event, client, NOW, webhook)])
    await store.append([said(2, 31, type="MessageQueued", message_id="m-2")])
    assert await removed(store) == {"interactions": 1, "messages": 1, "attempts": 1, "events": 2}
    assert await read(postgres_dsn.owner, "SELECT message_id FROM threadline.messages") == ["m-2"]
    assert await read(postgres_dsn.owner, "SELECT message_id FROM threadline.interactions WHERE NOT superseded") == [
        "m-2"
    ]


async def test_a_legal_hold_keeps(store: EventStore) -> None:
    """As long as it lasts."""
    await keeps(store, sms=30)
    await store.append([said(1, 31), said(2, 31, handle=BO)])
    (known,) = await store.customer_of("shop", ANA.kind, ANA.value)
    await store.set_hold("shop", known["customer_id"], "a court asks", datetime.now(UTC) + timedelta(days=1))
    assert await removed(store) == {"interactions": 1, "events": 1}
    assert await shown(store) == ["p1"]
    await store.end_hold("shop", known["customer_id"])
    assert await removed(store) == {"interactions": 1, "events": 1}


async def test_merged_interactions_go_as_one(store: EventStore, postgres_dsn: Dsns) -> None:
    """With the bar that the joined one left, and all their events."""
    await keeps(store, sms=30)
    await store.append([said(1, 31, message_id=None), said(2, 32, provider_message_id=None, message_id="ours")])
    await store.append([said(1, 31, type="UserMessageSent", message_id="ours")])
    assert await removed(store) == {"interactions": 1, "events": 3}
    for table in ("interactions", "interaction_links"):
        assert await read(postgres_dsn.owner, f"SELECT 1 FROM threadline.{table}") == []
    before = await tables(postgres_dsn.owner)
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == before


async def test_a_killed_removal_goes_on_and_leaves_nothing_half_done(
    store: EventStore, postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session is ended by the server between any two of its statements; each time a rebuild gives what is there."""
    await keeps(store, sms=30)
    await store.append([said(number, 31) for number in range(12)])
    pending = ["linking_lock", "remove_interactions", "empty_expired", "empty_apart"] * 2

    def killing(name: str) -> Any:
        if pending and pending[0] == name:
            pending.pop(0)
            with psycopg.connect(postgres_dsn.service) as db:
                # The one that has the lock of removals.
                query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND (classid, objid) = (29796, 29)"
                db.execute(query)
        return statement(name)

    monkeypatch.setattr("sql.channel_retention.statement", killing)
    done: Counter[str] = Counter()
    kills = 0
    while True:
        try:
            assert await store.remove_expired({}, lambda table, rows: done.update({table: rows}), step=2, pause=0)
            break
        except psycopg.OperationalError:
            kills += 1
        before = await tables(postgres_dsn.owner)
        await rebuild(postgres_dsn.owner)
        assert await tables(postgres_dsn.owner) == before
    assert (kills, done) == (8, {"interactions": 12, "events": 12})
    assert len(await read(postgres_dsn.owner, EMPTIED)) == 12


async def test_removals_and_appends_at_once_agree_with_the_log(store: EventStore, postgres_dsn: Dsns) -> None:
    """Reports come late, messages are linked and said again while they are removed; in the end a rebuild gives what is there, and
    nothing is due."""
    await keeps(store, sms=30)
    await store.append([said(number, 31) for number in range(300)])
    finished = asyncio.Event()

    async def report(seed: int) -> None:
        at = seed
        while not finished.is_set():
            some = [at % 300, at * 7 % 300, at * 11 % 300]
            rows = [said(number, 31, type="MessageDelivered") for number in some] + [said(at % 300, 31)]
            rows += [said(number, 31, type="UserMessageSent", message_id=f"m{number}") for number in some[:1]]
            rows += [
                said(number, 31, type="MessageQueued", provider_message_id=None, message_id=f"m{number}")
                for number in some
            ]
            await store.append(rows)
            at += 13

    writers = [asyncio.create_task(report(seed)) for seed in range(2)]
    for _ in range(12):
        await removed(store, step=20)
    finished.set()
    await asyncio.gather(*writers)
    before = await tables(postgres_dsn.owner)
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == before
    await removed(store)
    assert await read(postgres_dsn.owner, "SELECT id FROM threadline.interactions") == []
    assert await read(postgres_dsn.owner, "SELECT id FROM threadline.events WHERE payload <> '{}'") == []


async def test_a_month_that_comes_back_from_the_archive_brings_nothing_back(
    store: EventStore, postgres_dsn: Dsns
) -> None:
    """Its events say again what they said; a rebuild leaves out what is not there any more, and of what is there nothing."""
    await keeps(store, sms=30)
    await store.append(
        [said(1, 31), said(1, 31, type="MessageRead", message_id="m1"), said(2, 31, channel="email"), said(3, 1)]
    )
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute("SET search_path = threadline")
        await db.execute("CREATE TABLE public.restored AS SELECT * FROM events")
        assert await removed(store) == {"interactions": 1, "events": 2}
        await db.execute("DELETE FROM events")
        await db.execute("ALTER TABLE events DISABLE TRIGGER USER")
        await db.execute("INSERT INTO events SELECT * FROM public.restored")
        await db.execute("ALTER TABLE events ENABLE TRIGGER USER")
    before = await tables(postgres_dsn.owner)
    await rebuild(postgres_dsn.owner)
    after = await tables(postgres_dsn.owner)
    assert after == before and len(after["interactions"]) == 2


async def test_only_the_current_configuration_counts(store: EventStore) -> None:
    """Without days, or without a configuration, everything stays; no channel is mistaken for another."""
    await keeps(store, sms=30)
    await store.set_client("shop", ROUTES, "test")
    await store.append([said(1, 9999), said(1, 9999, "unset")])
    assert await removed(store) == {}
    await keeps(store, email=7, default=10_000)
    assert await removed(store) == {}
    await keeps(store, email=7, default=9998)
    assert await removed(store) == {"interactions": 1, "events": 1}


async def test_default_counts_for_every_channel_that_is_not_named(store: EventStore, postgres_dsn: Dsns) -> None:
    """And for what has none; a number of days may be written as JSON likes."""
    document = ROUTES | {"retention": {"default": 400.0, "sms": 30}}
    await store.set_client("shop", document, "test")
    query = "SELECT to_jsonb(r) FROM (SELECT channel, extract(day FROM age)::integer AS days FROM threadline.channel_retention) AS r"
    found = {one["channel"]: one["days"] for one in await read(postgres_dsn.owner, query)}
    assert found == dict.fromkeys(["", *CHANNELS], 400) | {"sms": 30}


async def test_the_function_empties_nothing_that_stands_in_a_timeline(store: EventStore, postgres_dsn: Dsns) -> None:
    """Nor of a client that keeps everything, nor links of handles: whoever may call it cannot empty the log."""
    await store.append(
        [said(1, 31), said(2, 31, type="HandleLinked", provider_message_id=None, payload={"cause": "x"})]
    )
    await keeps(store, "other", sms=30)
    await store.append([said(3, 31, "other"), said(4, 31, "other", type="HandleUnlinked", payload={"cause": "x"})])
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service, autocommit=True) as db:
        query = "SELECT threadline.empty_expired(array_agg(xid), array_agg(position)) FROM threadline.events"
        cursor = await db.execute(query)
        assert await cursor.fetchone() == (0,)


async def test_the_worker_and_the_command_tell_of_it(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """What was removed, how far the oldest is beyond its time, and what is due, by client and channel."""
    await keeps(store, sms=30, email=60)
    await store.append([said(1, 33), said(2, 31), said(3, 29), said(4, 10, channel="email")])
    environment = on_store(postgres_dsn.service, tmp_path)
    found = orjson.loads((await command("retention", "--json", environment=environment)).out)["channels"]
    assert [(one["client_id"], one["channel"], one["days"], one["due"]) for one in found] == [
        ("shop", "email", 60, 0), ("shop", "sms", 30, 2),
    ]  # fmt: skip
    lines = [line.split() for line in (await command("retention", environment=environment)).out.splitlines()]
    assert [line[-1] for line in lines if line[:2] == ["shop:", "sms"]] == ["2"]
    health = WorkerHealth()
    expiry = Expiry(store, dict.fromkeys(STORES), health)
    await expiry.once()
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in health.collect()
        for sample in family.samples
        if sample.name.startswith("threadline_retention")
    }
    assert values["threadline_retention_removed_rows_total", "interactions"] == 2
    assert values["threadline_retention_removed_rows_total", "events"] == 2
    assert values["threadline_retention_overdue_seconds", "interactions"] == 0
    ran = await command("retention", "--run", environment=environment)
    assert (ran.code, ran.out) == (0, "Nothing is due.\n")
