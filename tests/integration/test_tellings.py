"""One event reported several times, not alike; ids that must not meet; one account behind several sources. On real
PostgreSQL."""

import asyncio
import itertools
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.inbound import of_account
from app.settings import Settings, Source
from schemas.events import Event, Handle
from sql import EventStore, Row
from sql.rebuild import rebuild
from sql.statements import migrations, statement
from tests.conftest import Dsns
from tests.integration.test_fold import ASSIGNMENTS, CONSENTS, EMPTY, EXACT, INTERACTIONS, LINKS, read, tell
from tests.support.keys import SEAL
from tests.support.opened import opened

START = datetime(2026, 11, 28, tzinfo=UTC)
ANA, BEN = Handle("phone", "+15550000001"), Handle("phone", "+15550000002")
TIMES = "SELECT to_jsonb(t) FROM threadline.consent_times t ORDER BY handle_id, channel, wanted, identity"
TABLES = (INTERACTIONS, LINKS, ASSIGNMENTS, CONSENTS, TIMES)


@st.composite
def tellings(draw: st.DrawFn) -> list[Row]:
    """Events of two messages; of each event some tellings, which lack this or that, came sooner or later, and say their
    content in other words."""
    rows: list[Row] = []
    for number in range(draw(st.integers(1, 5))):
        message = draw(st.sampled_from(["1", "2"]))
        type = draw(
            st.sampled_from(
                [
                    "MessageReceived",
                    "UserMessageSent",
                    "MessageFailed",
                    "RecipientUnsubscribed",
                    "RecipientSubscribed",
                    "CallStarted",
                ]
            )
        )
        stated = START + timedelta(seconds=number - 20)
        whole = Event(
            type, "crm", f"e{number}", channel="sms", provider_message_id=f"p{message}", message_id=f"m{message}",
            handle=ANA if message == "1" else BEN, occurred_at=draw(st.sampled_from([None, stated])), provider="twilio",
        )  # fmt: skip
        for _ in range(draw(st.integers(1, 4))):
            lacking: dict[str, Any] = {
                name: None for name in ("provider_message_id", "message_id", "handle", "channel") if draw(st.booleans())
            }
            content = draw(
                st.sampled_from([{}, {"content": {"text": "a"}}, {"content": {"text": "b", "subject": "s"}}])
            )
            received = START + timedelta(seconds=draw(st.integers(-5, 5)))
            rows.append((replace(whole, payload=dict(content), **lacking), "default", received, None))
    return rows


async def emptied(dsn: str) -> None:
    """A log without anything."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(EMPTY)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=tellings(), seed=st.integers(0, 2**32))
async def test_tellings_are_joined_in_any_order(postgres_dsn: Dsns, rows: list[Row], seed: int) -> None:
    """However tellings that lack one thing or another arrive, the timelines are the same, byte for byte, and a rebuild makes
    the very rows that were there."""
    rng, seen = random.Random(seed), []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for _ in range(3):
            await emptied(postgres_dsn.owner)
            await tell(store, rows, rng)
            seen.append([await read(postgres_dsn.owner, query) for query in TABLES])
    assert seen[0] == seen[1] == seen[2]
    before = [await read(postgres_dsn.owner, query) for query in (EXACT, *TABLES[1:])]
    await rebuild(postgres_dsn.owner)
    assert [await read(postgres_dsn.owner, query) for query in (EXACT, *TABLES[1:])] == before


def sent(seconds: int = 0, **fields: Any) -> Row:
    """One report of one event."""
    return (Event("UserMessageSent", "crm", "e1", **fields), "default", START + timedelta(seconds=seconds), None)


async def test_what_the_first_telling_lacked_is_not_lost(postgres_dsn: Dsns) -> None:
    """An id of the provider's, one of ours, an address, a content and an earlier receipt, each reported later under the
    same identity, in every order: one interaction that has all of them."""
    parts = [
        sent(5, message_id="m1"),
        sent(5, provider_message_id="SM1", provider="twilio"),
        sent(5, handle=ANA, payload={"content": {"text": "Hello"}}),
        sent(1, message_id="m1"),
    ]
    delivered = Event(
        "MessageDelivered", "twilio", "d1", channel="sms", direction="outbound", provider_message_id="SM1"
    )
    seen = []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for order in itertools.permutations(parts):
            await emptied(postgres_dsn.owner)
            for row in (*order, (delivered, "default", START + timedelta(seconds=9), None)):
                assert (await store.append([row])).appended == 1 or row in (parts[0], parts[3])
                assert (await store.append([row])).appended == 0
            seen.append([row for row in await read(postgres_dsn.owner, INTERACTIONS) if not row["superseded"]])
    (one,) = seen[0]
    assert (one["message_id"], one["delivery"]) == ("m1", "delivered")
    handles = await opened(postgres_dsn.service, "SELECT id::text, sealed AS value FROM handles")
    (handle,) = [each["id"] for each in handles if each["value"] == "+15550000001"]
    (shown,) = await opened(
        postgres_dsn.service, "SELECT content, provider_message_id FROM interactions WHERE NOT superseded"
    )
    assert shown["provider_message_id"] == "SM1"
    assert (shown["content"], one["address_handle_id"], one["sent_at"]) == (
        {"text": "Hello"}, handle, "2026-11-28T00:00:01+00:00",
    )  # fmt: skip
    assert all(each == seen[0] for each in seen)


@pytest.mark.parametrize("together", [True, False])
async def test_an_id_that_was_used_twice_joins_nobody(postgres_dsn: Dsns, together: bool) -> None:
    """A service that gives everything one id: each message of each person is kept, on its own person's timeline only; a
    report that names no message, and would fit to both, does not join them."""
    rows: list[Row] = [
        (Event("MessageReceived", "crm", "1", channel="chat", direction="inbound", handle=handle, payload={"content": {"text": text}}), "default", START, None)
        for handle, text in ((ANA, "I am Ana"), (BEN, "I am Ben"))
    ]  # fmt: skip
    named = [sent(provider_message_id="A", handle=ANA), sent(), sent(provider_message_id="B", handle=BEN)]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        batches: list[list[Row]] = [rows, named] if together else [[row] for row in rows + named]
        for batch in batches:
            await store.append(batch)
        for handle, text in ((ANA, "I am Ana"), (BEN, "I am Ben")):
            (found, *_) = await store.customer_of("default", handle.kind, handle.value)
            page = await store.timeline("default", found["customer_id"])
            contents = [row["content"] for row in page if row["content"]]
            assert {"text": text} in contents
            other = "I am Ben" if handle is ANA else "I am Ana"
            assert {"text": other} not in contents
            assert {row["provider_message_id"] for row in page} <= {None, "A" if handle is ANA else "B"}


async def test_a_repeat_adds_nothing_and_a_later_receipt_neither(postgres_dsn: Dsns) -> None:
    """Alike in all but when it came: the first receipt counts, and the log does not grow."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for seconds in (3, 4, 3, 9):
            await store.append([sent(seconds, message_id="m1")])
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == [1]


CONFUSED = [
    ("event_id", ("a\x1fb", "c", "d"), ("a", "b\x1fc", "d")),
    ("event_id", ("a", "b\x1fc", "d"), ("a", "b", "c\x1fd")),
    ("event_id", ("a\x1e\x1fb", "c", "d"), ("a\x1e", "b", "c\x1fd")),
    ("event_id", ("a\x1e\x1d", "c", "d"), ("a\x1f", "c", "d")),
    ("provider_reference", ("a\x1fb", "c", "d"), ("a", "b\x1fc", "d")),
    ("provider_reference", ("a", "b\x1fc", "d"), ("a", "b", "c\x1fd")),
    ("message_reference", ("a\x1fb", "c"), ("a", "b\x1fc")),
    ("lane_id", ("a\x1fb", "c"), ("a", "b\x1fc")),
]


@pytest.mark.parametrize(("function", "one", "other"), CONFUSED)
async def test_no_two_identities_make_one_id(
    postgres_dsn: Dsns, function: str, one: Sequence[str], other: Sequence[str]
) -> None:
    """Whatever characters the parts have; those of ordinary parts are as they always were."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:

        async def id_of(parts: Sequence[str]) -> Any:
            query = f"SELECT threadline.{function}({', '.join(['%s'] * len(parts))})"
            row = await (await db.execute(query.encode(), parts)).fetchone()
            assert row is not None
            return row[0]

        assert await id_of(one) != await id_of(other)
        row = await (
            await db.execute("SELECT md5('shop' || E'\\x1f' || 'twilio' || E'\\x1f' || 'SM1')::uuid")
        ).fetchone()
        assert row is not None
        assert row[0] == await _event_id(db, "shop", "twilio", "SM1")
        for kind in ("provider", "message"):
            row = await (await db.execute(f"SELECT threadline.{kind}_reference({'%s, ' * (kind == 'provider')}%s, %s)".encode(), ["default", "twilio", "m1"][: 2 + (kind == "provider")])).fetchone()  # fmt: skip
            assert row is not None
            name = "m1" if kind == "provider" else "twilio"
            parts = ("default", "twilio\x1fm1") if kind == "provider" else ("default", name)
            assert row[0] != await _event_id(db, kind, *parts)


async def _event_id(db: psycopg.AsyncConnection[Any], *parts: str) -> Any:
    row = await (await db.execute("SELECT threadline.event_id(%s, %s, %s)", parts)).fetchone()
    assert row is not None
    return row[0]


async def test_sources_of_one_account_share_its_message_ids(postgres_dsn: Dsns) -> None:
    """One SID at two sources is two messages, unless both are configured as one account; then also what we send by
    either."""
    seen = {}
    for account in (None, "main"):
        configured = Settings(
            sources={name: Source(adapter="twilio", account=account) for name in ("twilio_a", "twilio_b")}
        )
        reported = [
            of_account(
                Event(
                    type,
                    source,
                    f"{account}{type}",
                    channel="sms",
                    direction="outbound",
                    provider_message_id=f"SM-{account}",
                ),
                configured.by_account(),
            )
            for type, source in (("UserMessageSent", "twilio_a"), ("MessageDelivered", "twilio_b"))
        ]
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
            await store.append([(event, "default", START, None) for event in reported])
        shown = await opened(postgres_dsn.service, "SELECT provider, delivery, provider_message_id FROM interactions")
        rows = [row for row in shown if row["provider_message_id"] == f"SM-{account}"]
        seen[account] = sorted((row["provider"], row["delivery"]) for row in rows)
    assert seen == {
        None: [("twilio_a", "sent"), ("twilio_b", "delivered")],
        "main": [("twilio:main", "delivered")],
    }


async def test_linking_waits_for_its_own_client_only(postgres_dsn: Dsns) -> None:
    """One client's linking transaction does not keep another's waiting, and batches that link for several clients, in
    whichever order, end."""

    def linking(client: str, number: int) -> Row:
        event = Event(
            "UserMessageSent",
            "crm",
            f"l{number}",
            channel="sms",
            direction="outbound",
            provider_message_id=f"p{number}",
            message_id=f"m{number % 7}",
        )
        return (event, client, START, None)

    async with await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store:
        async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as held:
            await held.execute("SELECT pg_advisory_xact_lock(29798, hashtext('acme'))")
            async with asyncio.timeout(10):
                await store.append([linking("shop", 1)])
            blocked = asyncio.create_task(store.append([linking("acme", 1)]))
            done, _ = await asyncio.wait([blocked], timeout=0.5)
            assert not done
            await held.rollback()
            await blocked
        clients = [f"c{n}" for n in range(12)]
        rows = [linking(client, 100 + n) for n, client in enumerate(clients * 8)]

        async def write(seed: int) -> None:
            mine = list(rows)
            random.Random(seed).shuffle(mine)
            for start in range(0, len(mine), 24):
                await store.append(mine[start : start + 24])

        async with asyncio.timeout(60):
            await asyncio.gather(*(write(seed) for seed in range(6)))
    live = [await read(postgres_dsn.owner, query) for query in (EXACT, *TABLES[1:])]
    await rebuild(postgres_dsn.owner)
    assert [await read(postgres_dsn.owner, query) for query in (EXACT, *TABLES[1:])] == live


def test_the_clients_of_a_batch_are_locked_in_one_order() -> None:
    """Else two batches with the same two clients could each hold what the other waits for."""
    assert b"ORDER BY key" in statement("link_lock")


async def test_a_consent_without_a_providers_time_has_that_of_its_first_receipt(postgres_dsn: Dsns) -> None:
    """Whichever of several equal deliveries is processed first, beside other opt-outs that are older and younger than it turns out
    to be, and an opt-in that it does or does not outdo; a rebuild makes the very rows."""
    tellings = [("e", "RecipientUnsubscribed", 9), ("e", "RecipientUnsubscribed", 4), ("e", "RecipientUnsubscribed", 1),
                ("older", "RecipientUnsubscribed", 3), ("yes", "RecipientSubscribed", 5)]  # fmt: skip
    rows: list[Row] = [
        (Event(type, "crm", name, channel="sms", handle=ANA), "default", START + timedelta(seconds=seconds), None)
        for name, type, seconds in tellings
    ]
    seen = []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for order in itertools.permutations(rows):
            await emptied(postgres_dsn.owner)
            for row in order:
                await store.append([row])
            seen.append(await read(postgres_dsn.owner, CONSENTS))
    (one,) = seen[0]
    assert (one["opted_out_at"], one["opted_in_at"]) == ("2026-11-28T00:00:03+00:00", "2026-11-28T00:00:05+00:00")
    assert not one["opted_out"]
    assert all(each == seen[0] for each in seen)
    times = await read(postgres_dsn.owner, TIMES)
    await rebuild(postgres_dsn.owner, processes=2)
    assert await read(postgres_dsn.owner, CONSENTS) == seen[0]
    assert await read(postgres_dsn.owner, TIMES) == times
    text = migrations()["0051_consent_times"].decode()
    filling = [f"{part};" for part in text.split(";") if "INSERT INTO consent_times" in part]
    assert len(filling) == 2
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
        await db.execute("SET search_path = threadline")
        for left in ("consent_times", "consent_times, events"):  # what the log has, and what only the archive has
            await db.execute(f"TRUNCATE {left}".encode())
            for part in filling:
                await db.execute(part.encode())
            if left == "consent_times":
                assert await read(postgres_dsn.owner, TIMES) == times
    latest = {(each["wanted"], each["at"]) for each in await read(postgres_dsn.owner, TIMES)}
    assert latest == {(False, one["opted_out_at"]), (True, one["opted_in_at"])}


async def test_a_consent_becomes_older_while_others_fold_theirs(postgres_dsn: Dsns) -> None:
    """Several writers tell of the same and of other opt-outs of one person at once, with earlier and later receipts."""
    rng = random.Random(7)
    rows: list[Row] = [
        (Event(rng.choice(("RecipientUnsubscribed", "RecipientSubscribed")) if number % 2 else "RecipientUnsubscribed", "crm",
               f"e{number % 5}", channel="sms", handle=ANA), "default", START + timedelta(seconds=rng.randint(0, 40)), None)
        for number in range(60)
    ]  # fmt: skip
    rows = [(replace(event, source_event_id=f"{event.source_event_id}{event.type}"), *rest) for event, *rest in rows]  # type: ignore[misc]
    expected = []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:

        async def write(seed: int) -> None:
            mine = list(rows)
            random.Random(seed).shuffle(mine)
            for start in range(0, len(mine), 3):
                await store.append(mine[start : start + 3])

        for attempt in range(4):
            await emptied(postgres_dsn.owner)
            async with asyncio.timeout(60):
                await asyncio.gather(*(write(10 * attempt + seed) for seed in range(4)))
            expected.append(await read(postgres_dsn.owner, CONSENTS))
    assert all(each == expected[0] for each in expected)
    await rebuild(postgres_dsn.owner, processes=2)
    assert await read(postgres_dsn.owner, CONSENTS) == expected[0]
