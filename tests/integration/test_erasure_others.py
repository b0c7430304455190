"""Erasures beside other people who have, had or get the same address: none loses a word, and none who is erased leaves one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
import pytest_asyncio

from app.erasing.steps import Eraser, Waits
from schemas.events import Handle
from sql import DeadLetter, EventStore
from sql.messages import LaneReport
from tests.conftest import Dsns
from tests.integration.erasures import START, customer, erased, filled, places, read, said, settings
from tests.integration.test_erasure_replay import replayed
from tests.integration.test_erasure_shared import BY, NEW, NUMBER, OLD, alone, log, two, words
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def said_by(store: EventStore, customer: object) -> set[str]:
    """Return the texts of a customer's timeline."""
    rows = await store.timeline("shop", customer)  # type: ignore[arg-type]
    return {row["content"]["text"] for row in rows if row["content"]}


async def test_what_came_late_and_is_held_stays(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A former owner was erased; what came of his time since is under a legal hold. The present owner's erasure leaves it."""
    both = await two(store, postgres_dsn)
    await erased(store, tmp_path, both.first)
    await store.append([words(8, "came late")])
    await store.set_hold("shop", both.first, "lawsuit", datetime.now(UTC) + timedelta(days=30))
    await erased(store, tmp_path, both.second)
    assert await said_by(store, both.first) == {"came late"}


async def test_a_living_one_within_an_erased_interval_stays(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """It is found later that the number changed hands earlier, and more often: the one between has said something."""
    both = await two(store, postgres_dsn)
    (cut,) = await read(postgres_dsn.owner, "SELECT id FROM events WHERE type = 'HandleUnlinked'")
    (handle,) = await read(postgres_dsn.owner, "SELECT id FROM handles WHERE kind = 'phone' AND client_id = 'shop'")
    await erased(store, tmp_path, both.first)
    await store.undo_customer_change("shop", cut, BY)
    now = await customer(store, NUMBER)
    between = (await store.unlink_handle("shop", now, handle, START + timedelta(minutes=50), BY)).becomes
    last = (await store.unlink_handle("shop", between, handle, START + timedelta(minutes=99), BY)).becomes
    await store.append([words(60, "between")])
    assert await said_by(store, between) == {"between"}
    await erased(store, tmp_path, last)
    assert await said_by(store, between) == {"between"}


@pytest.mark.parametrize("at_once", [False, True])
async def test_with_the_last_owner_the_address_goes(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, at_once: bool
) -> None:
    """The present one first, so that the erasure itself gives the number to nobody yet; or both at once."""
    both = await two(store, postgres_dsn)
    first, second = [await store.request_erasure("shop", who, "asked for it") for who in (both.second, both.first)]
    assert first is not None and second is not None
    eraser = Eraser(store, settings(tmp_path))
    if at_once:
        await eraser.advance(first)
        with pytest.raises(Waits, match="another erasure of the same address"):
            await eraser.advance(second)
    await eraser.run(first)
    await eraser.run(second)
    assert await store.customer_of("shop", NUMBER.kind, NUMBER.value) == []
    assert await places(postgres_dsn, NUMBER.value) == {}
    text = await log(postgres_dsn, store)
    assert OLD not in text and NEW not in text


async def test_what_a_clock_ahead_received_is_the_erased_ones(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """A door's clock may be some seconds before the database's: what it received before the fence goes with it."""
    both = await two(store, postgres_dsn)
    ahead = datetime.now(UTC) + timedelta(seconds=5)
    for row in (words(300, "of tomorrow"), alone(301, "ProviderEventReceived", "of tomorrow")):
        row[0].occurred_at = ahead
        await store.append([(row[0], "shop", ahead, None)])
    await erased(store, tmp_path, both.second)
    assert "of tomorrow" not in await log(postgres_dsn, store)


@pytest.mark.parametrize("before", [False, True])
async def test_the_ledger_leaves_who_came_after_the_fence(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, before: bool
) -> None:
    """Somebody new has the number; what was said before the fence, and came back by Kafka, is erased, and nothing of his."""
    await store.append([words(2, OLD)])
    await erased(store, tmp_path, await customer(store, NUMBER))
    later = datetime.now(UTC) + timedelta(days=3)
    row = words(900, "new here", occurred_at=later)
    await store.append([(row[0], "shop", later, None)])
    if before:
        await store.append([words(3, OLD)])
    await replayed(postgres_dsn, tmp_path)
    assert await said_by(store, await customer(store, NUMBER)) == {"new here"}
    assert OLD not in await log(postgres_dsn, store)
    again = await replayed(postgres_dsn, tmp_path)
    assert again["addresses"] == 0


async def test_two_erasures_of_one_number_end_both(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """By two processes at once, the one waiting for the other where it has to."""
    both = await two(store, postgres_dsn)
    ids = [await store.request_erasure("shop", who, "asked for it") for who in (both.first, both.second)]

    async def run(id: object) -> None:
        eraser = Eraser(store, settings(tmp_path))
        for _ in range(200):
            try:
                await eraser.run(id)  # type: ignore[arg-type]
            except Waits:
                await asyncio.sleep(0.05)
            else:
                return
        raise AssertionError("it never ended")

    await asyncio.gather(*map(run, ids))
    assert await places(postgres_dsn, NUMBER.value) == {}


async def test_what_quotes_the_address_elsewhere_goes(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A dead letter with the spelling that WhatsApp has for the number, an account's last error, and the trace of an event."""
    number = Handle("phone", "+558191234567")  # one that got a ninth digit
    value = orjson.dumps({"from": number.value[1:], "text": "unread"})
    dead = DeadLetter("webhooks.received", 0, 1, "cannot be read", client="shop", value=value, size=len(value))
    row = said(41, number, channel="whatsapp")  # not one of those of `filled`
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await store.append([(replace(row[0], trace=trace), *row[1:])], dead=[dead])
    await filled(store)
    (lane,) = await read(postgres_dsn.owner, "SELECT id FROM lanes")
    await store.note_lanes([LaneReport(str(lane), failed=True, fault=True, trouble=f"{number.value} is not reachable")])
    assert (await store.customer_of("shop", "phone", number.value))[0]["value"] != number.value

    await erased(store, tmp_path, await customer(store, number))
    assert await read(postgres_dsn.owner, 'SELECT count(*) FROM dead_letters WHERE "offset" = 1') == [0]
    assert await read(postgres_dsn.owner, "SELECT trouble FROM lanes") == [None]
    assert trace not in await read(postgres_dsn.owner, "SELECT trace FROM events")
