"""Handles on real PostgreSQL: random ids that all writers agree on, found by nobody without the key."""

import asyncio
import random
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from schemas.events import Event, Handle
from sql import EventStore, Row
from sql.sealing import KEY_BYTES, NoKey, Seal
from sql.statements import MIGRATIONS, statement
from tests.conftest import Dsns
from tests.integration.test_customers import mail, message, phone
from tests.integration.test_rebuild import read
from tests.support.keys import SEAL
from tests.support.links import digests
from tests.support.opened import opened

START = datetime(2026, 11, 21, tzinfo=UTC)
IDS = "SELECT id::text FROM threadline.handles ORDER BY client_id"


def sent(number: int, handle: Handle | None, client: str = "default", **fields: Any) -> Row:
    event = Event(
        "UserMessageSent", "twilio", f"s{number}", channel="sms", direction="outbound", handle=handle, **fields
    )
    return (event, client, START + timedelta(seconds=number), None)


async def test_writers_that_meet_a_new_handle_at_once_agree(postgres_dsn: Dsns) -> None:
    """Eight writers with batches of the same new handles, shuffled, of which some are linked: one row a handle, no writer fails,
    and every event names the handle that its address has."""
    rows = [sent(n, phone(n % 40)) for n in range(400)] + [
        row for n in range(40) for row in message(1000 + n, phone(n), mail(n % 7))
    ]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=8) as store:

        async def write(seed: int) -> None:
            mine = rows[:]
            random.Random(seed).shuffle(mine)
            for start in range(0, len(mine), 60):
                await store.append(mine[start : start + 60])

        await asyncio.gather(*map(write, range(8)))
    handles = await opened(postgres_dsn.service, "SELECT id, kind, sealed AS value FROM handles")
    assert len(handles) == len({(one["kind"], one["value"]) for one in handles}) == 47
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.assignments") == [47]
    sent_to = "SELECT source_event_id, sealed AS value FROM events e JOIN handles h ON h.id = e.handle_id WHERE e.type = 'UserMessageSent'"
    events = await opened(postgres_dsn.service, sent_to)
    names = await digests(postgres_dsn.owner, (f"s{n}" for n in range(400)))
    assert len(events) == 400
    assert all(one["value"] == phone(int(names[one["source_event_id"]][1:]) % 40).value for one in events)


async def test_two_stores_that_begin_at_once_share_a_pepper(postgres_dsn: Dsns) -> None:
    """Processes that know nothing of each other find the same handle, of clients that both are the first to meet."""
    stores = [await EventStore.open(postgres_dsn.service, SEAL, pool=2) for _ in range(4)]
    clients = [f"client {n}" for n in range(20)]
    try:
        await asyncio.gather(
            *(store.append([sent(at, phone(1), client)]) for at, store in enumerate(stores) for client in clients)
        )
        found = [[await store.customer_of(client, "phone", phone(1).value) for client in clients] for store in stores]
    finally:
        for store in stores:
            await store.close()
    assert all(each == found[0] for each in found) and all(found[0])
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.handles") == [20]


async def test_ids_are_random(postgres_dsn: Dsns) -> None:
    """The same address has other ids at another client, and again after its row is gone; neither is that of the customer."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([sent(1, phone(1)), sent(1, phone(1), "shop")])
        first = await read(postgres_dsn.owner, IDS)
        customers = await read(postgres_dsn.owner, "SELECT customer_id::text FROM threadline.assignments")
        async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
            await db.execute("DELETE FROM threadline.handles")
        assert await store.customer_of("default", "phone", phone(1).value) == []
        await store.append([sent(2, phone(1)), sent(2, phone(1), "shop")])
        second = await read(postgres_dsn.owner, IDS)
    assert len({*first, *second, *customers}) == 6


async def test_the_log_and_the_timelines_have_no_address(postgres_dsn: Dsns) -> None:
    """Of events without contents no column shows whose they are, nor do links, interactions, consents and messages' handles."""
    number, address = phone(7), mail(7)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([*message(1, number, Handle("user_id", "u-4711"))[1:], *message(2, number, address)[1:]])
        await store.append([sent(3, number), sent(4, Handle("user_id", "u-4711")), sent(5, address)])
        stop = Event("RecipientUnsubscribed", "crm", "stop", channel="sms", handle=number)
        await store.append([(stop, "default", START, None)])
        async with store.relay() as relay:
            assert relay is not None
            page = await relay.page((0, 0), 100)
    for table in ("events", "interactions", "assignments", "handle_links", "consents"):
        whole = " ".join(await read(postgres_dsn.owner, f"SELECT to_jsonb(t)::text FROM threadline.{table} t"))
        assert whole, table
        assert not any(text in whole for text in (number.value, address.value, "u-4711")), table
    linked = [row["payload"]["handles"] for row in page if row["type"] == "HandleLinked"]
    assert [{one["value"] for one in pair} for pair in linked] == [
        {number.value, "u-4711"},
        {number.value, address.value},
    ]


async def test_a_link_stated_again_is_the_same_event(postgres_dsn: Dsns) -> None:
    """Although its id is made of the handles' ids, in whichever order they are stated."""
    stated, again = message(1, phone(1), mail(1))[1:], message(2, mail(1), phone(1))[1:]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        appended = [(await store.append(rows)).appended for rows in (stated, again, stated)]
    assert appended == [1, 0, 0]


async def test_without_the_key_nothing_is_found_or_written(postgres_dsn: Dsns) -> None:
    """Another key, or none, is an error that says what to do; afterwards nothing has changed."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([sent(1, phone(1))])
    for seal, words in (
        (Seal([secrets.token_bytes(KEY_BYTES)]), "put it back into secrets.keys"),
        (Seal([]), "secrets"),
    ):
        async with await EventStore.open(postgres_dsn.service, seal, pool=1) as store:
            with pytest.raises(NoKey, match=words):
                await store.append([sent(2, phone(1))])
            with pytest.raises(NoKey, match=words):
                await store.customer_of("default", "phone", phone(1).value)
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == [1]


async def test_peppers_move_to_another_key(postgres_dsn: Dsns) -> None:
    """After `reseal_peppers` the old key is not needed, and each handle is found as before."""
    old, new = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    async with await EventStore.open(postgres_dsn.service, Seal([old]), pool=1) as store:
        await store.append([sent(n, phone(n), f"client {n}") for n in range(5)])
        before = [await store.customer_of(f"client {n}", "phone", phone(n).value) for n in range(5)]
    async with await EventStore.open(postgres_dsn.service, Seal([new, old]), pool=1) as store:
        assert [await store.reseal_peppers(), await store.reseal_peppers()] == [5, 0]
    async with await EventStore.open(postgres_dsn.service, Seal([new]), pool=1) as store:
        assert [await store.customer_of(f"client {n}", "phone", phone(n).value) for n in range(5)] == before


async def test_a_look_up_of_an_unknown_client_writes_nothing(postgres_dsn: Dsns) -> None:
    """Anyone may ask for any address: no pepper and no handle is made for that."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        assert await store.customer_of("nobody", "phone", phone(1).value) == []
        assert await store.consents("nobody", phone(1)) == []
        assert await store.profile("nobody", phone(1)) is None
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.peppers") == [0]


async def test_a_database_with_events_of_before_is_refused(postgres_dsn: Dsns) -> None:
    """Migration 0028 changes nothing there, and says what to do."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([sent(1, None)])
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        await db.execute("SET search_path = threadline")
        guard = (MIGRATIONS / "0028_handles.sql").read_text().partition("DROP VIEW")[0]
        with pytest.raises(psycopg.errors.RaiseException, match="cannot be carried over") as raised:
            await db.execute(guard)
    assert "empty database" in (raised.value.diag.message_hint or "")


async def test_nothing_is_sent_for_a_client_whose_outcomes_could_not_be_written(postgres_dsn: Dsns) -> None:
    """The sender asks before it calls a provider: another client's pepper under a key that is gone stops that client only."""
    gone = Seal([secrets.token_bytes(KEY_BYTES)])
    async with await EventStore.open(postgres_dsn.service, gone, pool=1) as store:
        await store.append([sent(1, phone(1), "locked")])
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        assert await store.locked_clients({"locked", "shop", "new"}) == ["locked"]
        assert (await store.append([sent(2, phone(1), "shop")])).appended == 1


async def test_a_rebuild_waits_for_handles_too(postgres_dsn: Dsns) -> None:
    """A profile makes a handle and no event: while the rebuilt tables are swapped in, it waits, so that its assignment is in them."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store,
        await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db,
    ):
        await store.set_profile("default", phone(1), zone="Europe/Lisbon")
        await db.execute(statement("rebuild_close"))
        setting = asyncio.create_task(store.set_profile("default", phone(2), zone="Europe/Lisbon"))
        done, _ = await asyncio.wait([setting], timeout=0.5)
        assert not done
        await db.rollback()
        await setting
        assert len(await store.customer_of("default", "phone", phone(2).value)) == 1
