"""Decisions on customers on real PostgreSQL: merge, split, another holder, undo; rebuilt alike, whatever the order of webhooks."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from schemas.events import Event, Handle
from sql import Deciding, EventStore, Refused, Row
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.test_customers import START, mail, message, phone, tables
from tests.integration.test_rebuild import read
from tests.support.keys import SEAL

ANA = Deciding("operator", "command line, ana", "they are one person")


async def opened(dsns: Dsns) -> EventStore:
    return await EventStore.open(dsns.service, SEAL, pool=2)


async def customer(store: EventStore, handle: Handle) -> UUID:
    id: UUID = (await store.customer_of("default", handle.kind, handle.value))[0]["customer_id"]
    return id


async def ids(store: EventStore, *handles: Handle) -> list[UUID]:
    found = []
    for handle in handles:
        rows = await store.customer_of("default", handle.kind, handle.value)
        found += [row["id"] for row in rows if (row["kind"], row["value"]) == (handle.kind, handle.value)]
    return found


async def story(store: EventStore, id: UUID) -> list[dict[str, Any]]:
    """A customer's timeline without the customer's id."""
    return [
        {key: value for key, value in row.items() if key != "customer_id"}
        for row in await store.timeline("default", id)
    ]


async def test_merge_then_split_is_as_never_merged(postgres_dsn: Dsns) -> None:
    """Both timelines are the same as before, the merged customer's id leads to the other one, and afterwards to itself."""
    async with await opened(postgres_dsn) as store:
        await store.append([*message(1, phone(1)), *message(2, mail(1)), *message(3, phone(1))])
        one, other = await customer(store, phone(1)), await customer(store, mail(1))
        before = await story(store, one), await story(store, other)
        made = await store.merge_customers("default", one, other, ANA)
        assert (made.becomes, made.event_id is not None) == (one, True)
        assert await customer(store, mail(1)) == await customer(store, phone(1)) == one
        assert (await store.handles("default", other))[0]["customer_id"] == one
        merged = await story(store, one)
        assert [row["id"] for row in merged] == [row["id"] for row in [before[0][0], before[1][0], before[0][1]]]
        parted = await store.split_customer("default", one, await ids(store, mail(1)), ANA)
        assert (await story(store, one), await story(store, parted.becomes)) == before
        assert await customer(store, mail(1)) == parted.becomes and await customer(store, phone(1)) == one
        assert parted.becomes not in (one, other)
        # The id from before the merge is that of nobody else, and leads to the one who had it.
        assert (await store.handles("default", other))[0]["kind"] == "email"


async def test_the_first_handle_can_be_split_off(postgres_dsn: Dsns) -> None:
    """Whichever handle gave the customer its id: those that stay keep the id."""
    async with await opened(postgres_dsn) as store:
        await store.append(message(1, phone(1), mail(1)))
        whole = await customer(store, phone(1))
        for handle in (phone(1), mail(1)):
            made = await store.split_customer("default", whole, await ids(store, handle), ANA)
            rest = mail(1) if handle.kind == "phone" else phone(1)
            assert await customer(store, rest) == whole
            assert await customer(store, handle) == made.becomes != whole
            await store.undo_customer_change("default", made.event_id, ANA)  # type: ignore[arg-type]
            assert await customer(store, phone(1)) == await customer(store, mail(1)) == whole
            assert (await store.handles("default", made.becomes))[0]["customer_id"] == whole


async def test_a_split_outlives_every_link(postgres_dsn: Dsns) -> None:
    """A later statement to the contrary is a conflict, by whichever path; a merge by a person sets it aside; undone, it counts."""
    async with await opened(postgres_dsn) as store:
        await store.append(message(1, phone(1), mail(1)))
        whole = await customer(store, phone(1))
        made = await store.split_customer("default", whole, await ids(store, mail(1)), ANA)
        await store.append([*message(2, mail(1), phone(1), source="other"), *message(3, phone(1), mail(2))])
        assert await customer(store, mail(2)) == whole
        assert [row["value"] for row in await store.customer_conflicts("default")] != []
        await store.append(message(4, mail(2), mail(1)))  # a bridge between both sides
        assert await customer(store, mail(1)) == made.becomes and await customer(store, mail(2)) == whole
        assert len(await store.customer_conflicts("default")) == 2
        unapplied = await store.unapplied_links("default", made.becomes)
        assert {row["refused_by"] for row in unapplied} == {made.event_id}
        again = await store.merge_customers("default", whole, made.becomes, ANA)
        assert await customer(store, mail(1)) == whole
        assert await store.customer_conflicts("default") == []
        await store.undo_customer_change("default", again.event_id, ANA)  # type: ignore[arg-type]
        assert await customer(store, mail(1)) == made.becomes
        assert len(await store.customer_conflicts("default")) == 2


async def test_a_number_with_a_new_owner(postgres_dsn: Dsns) -> None:
    """Interactions belong to who had the number at their time, whatever the order of arrival, and links to the holder of theirs."""
    async with await opened(postgres_dsn) as store:
        await store.append([*message(1, phone(1), mail(1)), *message(100, phone(1))])
        first = await customer(store, phone(1))
        (number,) = await ids(store, phone(1))
        since = START + timedelta(seconds=50)
        made = await store.unlink_handle("default", first, number, since, ANA)
        await store.append([*message(110, phone(1), mail(2)), *message(40, phone(1)), *message(120, mail(1))])
        second = await customer(store, phone(1))
        assert second == await customer(store, mail(2)) == made.becomes != first
        assert [row["provider_message_id"] for row in await store.timeline("default", second)] == [
            "wamid.110",
            "wamid.100",
        ]
        assert [row["provider_message_id"] for row in await store.timeline("default", first)] == [
            "wamid.120", "wamid.40", "wamid.1",
        ]  # fmt: skip
        with pytest.raises(Refused, match="not this customer's"):
            await store.unlink_handle("default", first, number, since, ANA)
        before = await tables(postgres_dsn.owner)
        await rebuild(postgres_dsn.owner)
        assert await tables(postgres_dsn.owner) == before
        await store.undo_customer_change("default", made.event_id, ANA)  # type: ignore[arg-type]
        assert await customer(store, mail(1)) == await customer(store, mail(2)) == await customer(store, phone(1))
        assert len(await store.timeline("default", second)) == 5


@pytest.mark.parametrize("seed", range(8))
async def test_any_sequence_is_rebuilt_alike(postgres_dsn: Dsns, seed: int) -> None:
    """Random merges, splits, unlinkings and undoings among shuffled and repeated webhooks: a rebuild gives the same tables, and
    every id that was ever given out leads to a customer of its own client."""
    chance = random.Random(seed)
    handles = [phone(n) for n in range(6)] + [mail(n) for n in range(6)]
    rows: list[Row] = []
    for number in range(40):
        rows += message(number, *chance.sample(handles, chance.choice((1, 1, 2, 2, 3))))
    rows += chance.sample(rows, 20)
    chance.shuffle(rows)
    made, events = 0, list[UUID]()
    seen: set[UUID] = set()
    async with await opened(postgres_dsn) as store:
        for start in range(0, len(rows), 6):
            await store.append(rows[start : start + 6])
            for handle in handles:
                seen |= {row["customer_id"] for row in await store.customer_of("default", handle.kind, handle.value)}
            try:
                event = await _decide(store, chance, handles, events)
            except (Refused, IndexError):
                continue
            made += 1
            if event is not None:
                events.append(event)
        before = await tables(postgres_dsn.owner)
        await rebuild(postgres_dsn.owner)
        assert await tables(postgres_dsn.owner) == before
        assert all([await store.handles("default", id) for id in seen])
        assert not any([await store.handles("shop", id) for id in seen])
    assert made > 3
    twice = "SELECT count(*) FROM (SELECT client_id, handle_id, count(*) FROM threadline.assignments WHERE valid_to = 'infinity' GROUP BY 1, 2 HAVING count(*) <> 1) AS wrong"
    assert await read(postgres_dsn.owner, twice) == [0]


async def _decide(store: EventStore, chance: random.Random, handles: list[Handle], events: list[UUID]) -> UUID | None:
    one, other = chance.sample(handles, 2)
    match chance.choice(("merge", "split", "split", "unlink", "undo")):
        case "merge":
            made = await store.merge_customers("default", await customer(store, one), await customer(store, other), ANA)
            return made.event_id
        case "split":
            return (
                await store.split_customer("default", await customer(store, one), await ids(store, one), ANA)
            ).event_id
        case "unlink":
            since = START + timedelta(seconds=chance.randrange(40))
            (handle,) = await ids(store, one)
            return (await store.unlink_handle("default", await customer(store, one), handle, since, ANA)).event_id
    if events:
        await store.undo_customer_change("default", events.pop(chance.randrange(len(events))), ANA)
    return None


async def test_refusals(postgres_dsn: Dsns) -> None:
    """What cannot be decided says why, and another client's customer does not exist."""
    async with await opened(postgres_dsn) as store:
        await store.append([*message(1, phone(1)), *message(2, phone(2)), *message(3, phone(3), client="shop")])
        one, two = await customer(store, phone(1)), await customer(store, phone(2))
        theirs = (await store.customer_of("shop", "phone", phone(3).value))[0]["customer_id"]
        for other in (theirs, uuid4()):
            with pytest.raises(Refused, match="no customer"):
                await store.merge_customers("default", one, other, ANA)
        with pytest.raises(Refused, match="at least one handle on each side"):
            await store.split_customer("default", one, await ids(store, phone(1)), ANA)
        with pytest.raises(Refused, match="not this customer's"):
            await store.split_customer("default", one, await ids(store, phone(2)), ANA)
        handle, late = (await ids(store, phone(1)))[0], datetime.now(UTC) + timedelta(days=1)
        for only_look in (True, False):  # by the handle one would erase or export the new owner, who is not there yet
            with pytest.raises(Refused, match="still to come"):
                await store.unlink_handle("default", one, handle, late, ANA, only_look=only_look)
        assert await customer(store, phone(1)) == one
        made = await store.merge_customers("default", one, two, ANA)
        assert (await store.merge_customers("default", one, two, ANA)).event_id is None  # a repetition
        with pytest.raises(Refused, match="no merge"):
            await store.undo_customer_change("shop", made.event_id, ANA)  # type: ignore[arg-type]
        await store.undo_customer_change("default", made.event_id, ANA)  # type: ignore[arg-type]
        with pytest.raises(Refused, match="undone before"):
            await store.undo_customer_change("default", made.event_id, ANA)  # type: ignore[arg-type]
        looked = await store.merge_customers("default", one, two, ANA, only_look=True)
        assert looked.event_id is None and await customer(store, phone(2)) == two


async def test_decisions_at_once(postgres_dsn: Dsns) -> None:
    """Decisions on the same customers and links of their handles at the same time: none is lost, and a rebuild gives the same."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store:
        await store.append([row for n in range(8) for row in message(n, phone(n))])
        all = [await customer(store, phone(n)) for n in range(8)]

        async def merge(n: int) -> None:
            await store.merge_customers("default", all[0], all[n], ANA)

        async def link(n: int) -> None:
            await store.append(message(100 + n, phone(n), mail(n)))

        await asyncio.gather(*(merge(n) for n in range(1, 8)), *(link(n) for n in range(8)))
        assert {await customer(store, handle) for n in range(8) for handle in (phone(n), mail(n))} == {all[0]}
        before = await tables(postgres_dsn.owner)
        await rebuild(postgres_dsn.owner)
        assert await tables(postgres_dsn.owner) == before


async def test_a_decision_costs_its_handles_not_their_interactions(postgres_dsn: Dsns) -> None:
    """A merge of two customers with 5,000 interactions each writes one event, one change and the assignments that moved."""
    event = Event("MessageReceived", "twilio", "x", channel="sms", direction="inbound", handle=phone(1))
    rows: list[Row] = [
        (Event(**{**{f: getattr(event, f) for f in ("type", "source", "channel", "direction")}, "handle": phone(n % 2), "source_event_id": str(n), "provider_message_id": str(n)}), "default", datetime.now(UTC), None)
        for n in range(10_000)
    ]  # fmt: skip
    async with await opened(postgres_dsn) as store:
        for start in range(0, len(rows), 2000):
            await store.append(rows[start : start + 2000])
        one, other = await customer(store, phone(0)), await customer(store, phone(1))
        made = await store.merge_customers("default", one, other, ANA)
        (xid,) = await read(postgres_dsn.owner, f"SELECT xid FROM threadline.events WHERE id = '{made.event_id}'")
        written = {
            table: (await read(postgres_dsn.owner, f"SELECT count(*) FROM threadline.{table} WHERE xmin = '{xid}'"))[0]
            for table in ("events", "customer_changes", "assignments", "interactions", "interaction_links", "handles", "handle_links")
        }  # fmt: skip
        whole = await store.customer_assignments("default", one)
        assert whole is not None
        assert sum(row["interactions"] for row in await store.customer_interactions(whole.assignments)) == 10_000
    assert {table: rows for table, rows in written.items() if rows} == {
        "events": 1,
        "customer_changes": 1,
        "assignments": 1,
    }
