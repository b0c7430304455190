"""The fold against the real SQL: in any order, any number of times, in any batches, the same interactions; and rebuild's."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.events import EVENT_TYPES, Error, Event, Handle
from sql import EventStore, Row
from sql.facts import FACTS
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.support.keys import SEAL
from tests.support.opened import opened

START = datetime(2026, 11, 21, tzinfo=UTC)
#: `last_change` is a place in the log, which differs from run to run by its nature.
INTERACTIONS = "SELECT to_jsonb(i) - 'last_change' FROM threadline.interactions i ORDER BY id, client_id"
EXACT = "SELECT to_jsonb(i) FROM threadline.interactions i ORDER BY id, client_id"
LINKS = "SELECT to_jsonb(l) FROM threadline.interaction_links l ORDER BY reference"
ASSIGNMENTS = "SELECT to_jsonb(a) FROM threadline.assignments a ORDER BY id"
CONSENTS = "SELECT to_jsonb(c) FROM threadline.consents c ORDER BY handle_id, channel"
#: The ids of handles stay, since they are random.
EMPTY = (
    "TRUNCATE threadline.events, threadline.event_ids, threadline.interactions, threadline.interaction_links, threadline.assignments, "
    "threadline.handle_links, threadline.consents, threadline.consent_times; "
    "INSERT INTO threadline.assignments (id, handle_id, own_id, customer_id, client_id) "
    "SELECT id, id, customer_id, customer_id, client_id FROM threadline.handles WHERE kind <> 'nobody'"
)

handles = st.sampled_from(
    [
        None,
        Handle("phone", "+15550000001"),
        Handle("phone", "+15550000002"),
        Handle("user_id", "u1"),
        Handle("user_id", "u2"),
    ]
)
errors = st.sampled_from([None, Error("30003", "Unreachable", "unreachable"), Error("1", None, "unknown")])
contents = st.sampled_from(
    [{}, {"content": {"text": "a"}}, {"content": {"text": "b", "subject": "s"}}, {"content": {"audioUrl": "u"}}]
)


@st.composite
def facts(draw: st.DrawFn) -> list[Row]:
    """Events of a few messages, some known by the provider's id, some by ours, some by both."""
    rows: list[Row] = []
    for number in range(draw(st.integers(1, 14))):
        seconds = draw(st.one_of(st.none(), st.integers(-50, 50)))
        event = Event(
            type=draw(st.sampled_from(sorted(EVENT_TYPES))),
            source=draw(st.sampled_from(["twilio", "crm"])),
            source_event_id=str(number),
            channel=draw(st.sampled_from([None, "sms", "email"])),
            direction=draw(st.sampled_from([None, "inbound", "outbound"])),
            provider_message_id=draw(st.sampled_from([None, "p1", "p2", "p3"])),
            message_id=draw(st.sampled_from([None, None, "m1", "m2"])),
            handle=draw(handles),
            occurred_at=None if seconds is None else START + timedelta(seconds=seconds),
            error=draw(errors),
            payload=dict(draw(contents)),
            provider="twilio",
            per_recipient=draw(st.booleans()),
        )
        rows.append(
            (event, draw(st.sampled_from(["default", "default", "acme"])), START + timedelta(seconds=number), None)
        )
    return rows


async def read(dsn: str, query: str) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        return [row[0] for row in await (await db.execute(query)).fetchall()]


async def tell(store: EventStore, rows: Sequence[Row], rng: random.Random) -> None:
    """Append in a random order, some twice, in batches of random sizes."""
    reported = [*rows, *(row for row in rows if rng.random() < 0.4)]
    rng.shuffle(reported)
    while reported:
        size = rng.randint(1, 6)
        await store.append(reported[:size])
        reported = reported[size:]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=facts(), seed=st.integers(0, 2**32))
async def test_no_order_and_no_repetition_matters(postgres_dsn: Dsns, rows: list[Row], seed: int) -> None:
    """However the same facts arrive, the interactions are the same, byte for byte, and so are links, handles and consents; and
    a rebuild gives the very rows that were there."""
    rng, seen = random.Random(seed), []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for _ in range(3):
            async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
                await db.execute(EMPTY)
            await tell(store, rows, rng)
            seen.append(
                [await read(postgres_dsn.owner, query) for query in (INTERACTIONS, LINKS, ASSIGNMENTS, CONSENTS)]
            )

    assert seen[0] == seen[1] == seen[2]

    before = [await read(postgres_dsn.owner, query) for query in (EXACT, LINKS, ASSIGNMENTS, CONSENTS)]
    assert await rebuild(postgres_dsn.owner, processes=2) == len(rows)
    assert [await read(postgres_dsn.owner, query) for query in (EXACT, LINKS, ASSIGNMENTS, CONSENTS)] == before


def outbound(type: str, number: int, message: str, **fields: Any) -> Row:
    event = Event(
        type, "twilio", f"{message}-{type}-{number}", channel="sms", direction="outbound", provider_message_id=message,
        handle=Handle("phone", f"+1555{number % 7:07d}"), **fields,
    )  # fmt: skip
    return (event, "default", START + timedelta(seconds=number), None)


async def test_a_late_sent_never_undoes_delivered_and_a_contradiction_shows(postgres_dsn: Dsns) -> None:
    """Delivery follows the facts, not the order of arrival; delivered and failed together are flagged."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([outbound("MessageDelivered", 2, "p1")])
        await store.append([outbound("UserMessageSent", 1, "p1")])
        await store.append([outbound("MessageFailed", 3, "p2", error=Error("1", "x", "unknown"))])
        await store.append([outbound("MessageDelivered", 4, "p2")])
    rows = await opened(postgres_dsn.service, "SELECT provider_message_id, delivery, contradiction FROM interactions")
    reported = {row["provider_message_id"]: (row["delivery"], row["contradiction"]) for row in rows}

    assert reported == {"p1": ("delivered", False), "p2": ("delivered", True)}


async def test_the_table_has_a_column_for_each_fact(postgres_dsn: Dsns) -> None:
    """The times of an interaction are its facts, as `sql.facts` lists them, and the least of them all."""
    times = await read(
        postgres_dsn.owner,
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = 'threadline' "
        "AND table_name = 'interactions' AND data_type = 'timestamp with time zone'",
    )

    assert sorted(times) == sorted(["timestamp", *(fact.column for fact in FACTS)])


async def test_two_writers_of_the_same_facts(postgres_dsn: Dsns) -> None:
    """Overlapping batches at once, links among them, neither deadlock for good nor double anything; what they leave is
    what a rebuild makes."""
    rows = [outbound(type, n, f"p{n % 40}") for n in range(400) for type in ("UserMessageSent", "MessageDelivered")]
    for number, (event, *_) in enumerate(rows):
        event.message_id = f"m{number % 30}" if number % 5 == 0 else None
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:

        async def write(seed: int) -> int:
            mine, appended = list(rows), 0
            random.Random(seed).shuffle(mine)
            for start in range(0, len(mine), 100):
                appended += (await store.append(mine[start : start + 100])).appended
            return appended

        assert sum(await asyncio.gather(*(write(seed) for seed in range(4)))) == len(rows)
    live = [await read(postgres_dsn.owner, query) for query in (EXACT, LINKS, ASSIGNMENTS, CONSENTS)]
    await rebuild(postgres_dsn.owner)

    assert [await read(postgres_dsn.owner, query) for query in (EXACT, LINKS, ASSIGNMENTS, CONSENTS)] == live


def inbound(type: str, number: int, at: int, text: str | None = None) -> Row:
    event = Event(
        type, "twilio", str(number), channel="chat", direction="inbound", provider_message_id="e1",
        occurred_at=START + timedelta(seconds=at), payload={} if text is None else {"content": {"text": text}},
    )  # fmt: skip
    return (event, "default", START + timedelta(days=1), None)


@pytest.mark.parametrize("seed", range(4))
async def test_the_last_edit_is_shown_in_any_order(postgres_dsn: Dsns, seed: int) -> None:
    """An edit replaces the keys that it has; the last by time counts, and of two at one time the greater text as it is sealed."""
    first = inbound("MessageReceived", 1, 0, "zero")
    first[0].payload["content"]["media"] = [{"url": "https://example.com/1"}]
    rows = [first, inbound("MessageEdited", 2, 10, "b"), inbound("MessageEdited", 3, 20, "a")]
    rows += [inbound("MessageEdited", 4, 20, "c"), inbound("MessageDeleted", 5, 30)]
    random.Random(seed).shuffle(rows)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for row in rows:
            await store.append([row])
        (page,) = await read(postgres_dsn.owner, "SELECT id FROM threadline.interactions")
        shown = await store.interaction("default", page)
        edits = "SELECT payload -> 'content' FROM threadline.events WHERE occurred_at = (SELECT max(occurred_at) FROM threadline.events WHERE type = 'MessageEdited')"
        last = max(await read(postgres_dsn.owner, edits), key=lambda content: content["text"])
        (greater,) = await store._opened([{"content": last}])
    assert shown is not None

    assert greater["content"]["text"] in ("a", "c")
    assert shown["content"] == greater["content"] | {"media": [{"url": "https://example.com/1"}]}
    assert {name: (at - START).total_seconds() for name, at in shown["facts"].items()} == {
        "received": 0, "edited": 10, "deleted": 30,
    }  # fmt: skip


def by(type: str, number: int, handle: Handle | None, text: str | None = None, direction: str = "inbound") -> Row:
    """Return an event of the chat message e1, by whom a provider names."""
    event = Event(
        type, "twilio", f"by{number}", channel="chat", direction=direction, provider_message_id="e1", handle=handle,
        occurred_at=START + timedelta(seconds=number), payload={} if text is None else {"content": {"text": text}},
    )  # fmt: skip
    return (event, "default", START + timedelta(days=1), None)


@pytest.mark.parametrize("seed", range(4))
async def test_only_its_writer_changes_a_message(postgres_dsn: Dsns, seed: int) -> None:
    """A stranger, and the other side, neither edit nor delete it, nor take it out of its writer's timeline; another handle of
    the same customer does, and so does what names nobody."""
    ana, stranger, chat = Handle("phone", "+15559999999"), Handle("phone", "+15550000001"), Handle("chat_id", "x:ana")
    link = Event("HandleLinked", "twilio", "l", handle=ana, payload={
        "handles": [{"kind": one.kind, "value": one.value} for one in (chat, ana)], "evidence": {"kind": "provider_states_both"},
    })  # fmt: skip
    rows = [
        by("MessageReceived", 1, ana, "pay Ana"), by("MessageEdited", 9, stranger, "pay Mallory"),
        by("MessageDeleted", 8, stranger), by("MessageEdited", 7, ana, "we pay", "outbound"),
        by("MessageEdited", 5, chat, "pay Ana 10"), (link, "default", START, None),
    ]  # fmt: skip
    random.Random(seed).shuffle(rows)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for row in rows:
            await store.append([row])
        for _ in range(2):
            known = await store.customer_of("default", ana.kind, ana.value)
            (shown,) = await store.timeline("default", known[0]["customer_id"])
            assert shown["content"] == {"text": "pay Ana 10"} and shown["direction"] == "inbound"
            assert set(shown["facts"]) == {"received", "edited"}
            theirs = await store.customer_of("default", stranger.kind, stranger.value)
            assert await store.timeline("default", theirs[0]["customer_id"]) == []
            await rebuild(postgres_dsn.owner)
        await store.append([by("MessageDeleted", 20, None)])
        (shown,) = await store.timeline("default", known[0]["customer_id"])
    assert "deleted" in shown["facts"]
