"""A legal hold is not got around by a decision on customers: what a held customer has stays with him until it ends."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.erasing.steps import Eraser
from schemas.events import Event
from sql import Deciding, EventStore, Refused
from sql.erasures import Held
from tests.conftest import Dsns
from tests.integration.erasures import ANA, ANA_MAIL, BO, START, customer, filled, settings
from tests.support.keys import SEAL

BY = Deciding("operator", "a test")


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def split(store: EventStore, whose: UUID, **more: Any) -> Any:
    """Take an address away from a customer."""
    (mail,) = [row["id"] for row in await store.handles("shop", whose) if row["kind"] == ANA_MAIL.kind]
    return await store.split_customer("shop", whose, [mail], BY, **more)


async def unlink(store: EventStore, whose: UUID, **more: Any) -> Any:
    """Give a number to another one from long ago, with all that was said there."""
    (number,) = [row["id"] for row in await store.handles("shop", whose) if row["kind"] == ANA.kind]
    return await store.unlink_handle("shop", whose, number, START - timedelta(days=999), BY, **more)


@pytest.mark.parametrize("decide", [split, unlink])
async def test_a_held_customer_keeps_what_he_has(store: EventStore, decide: Any) -> None:
    """Until the hold ends; to look is allowed."""
    whose = await filled(store)
    await store.set_hold("shop", whose, "lawsuit 7", datetime.now(UTC) + timedelta(days=3))
    assert (await decide(store, whose, only_look=True)).event_id is None
    with pytest.raises(Refused, match="legal hold"):
        await decide(store, whose)
    assert await store.end_hold("shop", whose)
    assert (await decide(store, whose)).event_id is not None


async def test_what_made_a_held_customer_is_not_undone(store: EventStore, tmp_path: Path) -> None:
    """A merge of before the hold; one of another client, and one under another id, neither. A merge of a held customer takes nothing
    from him, and the hold is of both then."""
    ana, bo = await filled(store), await customer(store, BO)
    merged = await store.merge_customers("shop", bo, ana, BY)
    assert merged.event_id is not None
    await store.set_hold("shop", ana, "lawsuit 7", datetime.now(UTC) + timedelta(days=3))
    with pytest.raises(Refused, match="legal hold"):
        await store.undo_customer_change("shop", merged.event_id, BY)
    with pytest.raises(Held):
        await store.request_erasure("shop", bo, "asked for it")
    assert await store.end_hold("shop", ana)
    await store.undo_customer_change("shop", merged.event_id, BY)

    await store.set_hold("shop", ana, "lawsuit 7", datetime.now(UTC) + timedelta(days=3))
    again = await store.merge_customers("shop", bo, ana, BY)
    assert again.event_id is not None
    with pytest.raises(Held):
        await store.request_erasure("shop", bo, "asked for it")
    with pytest.raises(Refused, match="legal hold"):
        await store.undo_customer_change("shop", again.event_id, BY)


async def test_an_erasure_of_a_recycled_number_ends_beside_a_hold(store: EventStore, tmp_path: Path) -> None:
    """Of who has a number that a held one had before: the erasure gives it to whoever comes next, and takes nothing from the held one."""
    first = await filled(store)
    moved = await unlink_now(store, first)
    await store.set_hold("shop", first, "lawsuit 7", datetime.now(UTC) + timedelta(days=3))
    id = await store.request_erasure("shop", moved, "asked for it")
    assert id is not None
    assert (await asyncio.wait_for(Eraser(store, settings(tmp_path)).run(id), 60))["state"] == "completed"
    assert len(await store.timeline("shop", first)) == 7


async def unlink_now(store: EventStore, whose: UUID) -> UUID:
    """Give a number to a new customer from now on; return whom."""
    (number,) = [row["id"] for row in await store.handles("shop", whose) if row["kind"] == ANA.kind]
    becomes: UUID = (await store.unlink_handle("shop", whose, number, datetime.now(UTC), BY)).becomes
    return becomes


async def test_links_take_nothing_out_of_a_hold(store: EventStore) -> None:
    """Services state a number of so many people that it is a customer by itself: the hold is of that one too, until it ends."""
    whose = await filled(store)
    until = datetime.now(UTC) + timedelta(days=3)
    await store.set_hold("shop", whose, "lawsuit 7", until)
    for number in range(9):
        stated = [{"kind": ANA.kind, "value": ANA.value}, {"kind": "user_id", "value": f"u{number}"}]
        link = Event("HandleLinked", "service", f"link {number}", payload={"handles": stated})
        await store.append([(link, "shop", datetime.now(UTC), None)])
    apart = {await customer(store, ANA), await customer(store, ANA_MAIL)}
    assert len(apart) == 2
    for each in apart:
        (row, *_) = await store.handles("shop", each)
        with pytest.raises(Refused, match="legal hold"):
            await store.unlink_handle("shop", each, row["id"], START - timedelta(days=999), BY)
        with pytest.raises(Held, match="lawsuit 7"):
            await store.request_erasure("shop", each, "asked for it")
    assert await store.set_hold("shop", whose, "lawsuit 8", until)
    for each in apart:
        assert await store.hold_of("shop", each) is not None
    assert await store.hold_of("shop", await customer(store, BO)) is None
    assert await store.end_hold("shop", await customer(store, ANA))  # from either side
    for each in apart:
        assert await store.hold_of("shop", each) is None
        assert await store.request_erasure("shop", each, "asked for it") is not None
