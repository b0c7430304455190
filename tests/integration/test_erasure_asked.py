"""An erasure is of what its customer had when it was asked for: links that are stated afterwards bring nobody else into it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from app.erasing.steps import Eraser
from schemas.events import Event, Handle
from sql import Deciding, EventStore, Refused, Row
from sql.origin import ORIGIN, Origin
from tests.conftest import Dsns
from tests.integration.erasures import ANA, BO, START, asked_for, customer, read, said, settings
from tests.integration.test_erasure import rebuilt
from tests.integration.test_erasure_shared import NUMBER, seen
from tests.support.keys import SEAL

USER, HERS = Handle("user_id", "u-1"), Handle("email", "hers@example.com")
BY = Deciding("operator", "a test")
#: More addresses than an index could hold the ids of.
COUNT = 200


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened_store:
        yield opened_store


async def link(store: EventStore, one: Handle, other: Handle, at: datetime = START) -> None:
    """State that two handles are one person's, as a provider does whose webhook has both."""
    await store.append([linking(one, other, at)])


def linking(one: Handle, other: Handle, at: datetime = START) -> Row:
    """Return what states it."""
    payload = {"handles": [{"kind": each.kind, "value": each.value} for each in (one, other)]}
    return (Event("HandleLinked", "chat", f"{one} {other}", payload=payload), "shop", at, None)


async def asked(store: EventStore, whose: UUID) -> UUID:
    """Ask for an erasure that a second person has to approve."""
    ORIGIN.set(Origin("person:clerk"))
    id = await store.ask_erasure("shop", whose, "a test", timedelta(days=1))
    assert id is not None
    return id


async def approved(store: EventStore, id: UUID) -> None:
    """Approve it."""
    ORIGIN.set(Origin("person:officer"))
    waits = await store.erasure_request(id)
    assert waits is not None
    await store.approve_erasure(waits)


@pytest.mark.parametrize("when", ["waiting", "approved", "not approved"])
async def test_who_is_linked_afterwards_is_not_erased(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, when: str
) -> None:
    """Neither while it waits for a second person, nor between the approval and the fence, nor without approvals: Bo's words, address and
    waiting message stay, also after a rebuild; and he can be erased afterwards."""
    await store.append([said(1, USER), said(2, USER), said(11, BO), said(12, BO)])
    await store.accept([asked_for("m2", BO)])
    whose, bos = (
        await customer(store, USER),
        [row["id"] for row in await store.timeline("shop", await customer(store, BO))],
    )
    if when == "not approved":
        id = await store.request_erasure("shop", whose, "a test")
        assert id is not None
    else:
        id = await asked(store, whose)
    if when == "approved":
        await approved(store, id)
    await link(store, USER, BO)
    assert await customer(store, BO) == await customer(store, USER)
    if when == "waiting":
        await approved(store, id)
    await Eraser(store, settings(tmp_path)).run(id)

    assert not await store.customer_of("shop", USER.kind, USER.value)
    left = await customer(store, BO)
    assert [row["id"] for row in await store.timeline("shop", left)] == bos
    assert await read(postgres_dsn.owner, "SELECT state FROM messages") == ["queued"]
    assert await rebuilt(postgres_dsn)
    assert [row["id"] for row in await store.timeline("shop", await customer(store, BO))] == bos
    again = await store.request_erasure("shop", left, "a test")
    assert again is not None and again != id
    await Eraser(store, settings(tmp_path)).run(again)
    assert not await store.customer_of("shop", BO.kind, BO.value)
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interactions WHERE NOT superseded") == [0]


async def test_who_had_the_number_before_is_not_erased_by_a_link(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """A number of two owners: a link makes both one customer while the second one's erasure waits. The first one's time stays."""
    await store.append([said(n, NUMBER, payload={"content": {"text": "the first's"}}) for n in range(1, 4)])
    first = await customer(store, NUMBER)
    await link(store, NUMBER, HERS)
    (handle,) = await read(postgres_dsn.owner, "SELECT id FROM handles WHERE kind = 'phone'")
    since = START + timedelta(minutes=100)
    second = (await store.unlink_handle("shop", first, handle, since, BY)).becomes
    await store.append([said(n, NUMBER, payload={"content": {"text": "the second's"}}) for n in range(101, 104)])
    id = await asked(store, second)
    before = [row["id"] for row in await store.timeline("shop", first)]
    await link(store, NUMBER, ANA, since + timedelta(minutes=5))
    await link(store, ANA, HERS)
    assert await customer(store, HERS) == await customer(store, NUMBER)
    await approved(store, id)
    await Eraser(store, settings(tmp_path)).run(id)
    texts = json.dumps((await seen(store, first)).decode())
    assert "the second's" not in texts and texts.count("the first's") >= 3
    assert [row["id"] for row in await store.timeline("shop", first)] == before


async def test_decisions_wait_also_under_the_id_that_a_link_gave(store: EventStore) -> None:
    """A link renames the customer of an erasure; nobody splits him meanwhile."""
    await store.append([said(1, ANA), said(2, BO)])
    ids = sorted([(await customer(store, ANA), ANA), (await customer(store, BO), BO)])
    id = await asked(store, ids[1][0])  # the link gives him the other, lesser one
    await link(store, ANA, BO)
    now = await customer(store, ANA)
    assert now == ids[0][0]
    side = await store.customer_assignments("shop", now)
    assert side is not None
    handle = side.assignments[0]["handle_id"]
    with pytest.raises(Refused, match="erasure"):
        await store.unlink_handle("shop", now, handle, START, BY)
    waits = await store.erasure_request(id)
    assert waits is not None
    await store.refuse_erasure(waits, "a test")
    await store.unlink_handle("shop", now, handle, START, BY)


async def test_two_requests_at_once_are_one(store: EventStore) -> None:
    """Neither is told that there is no such customer."""
    for number in range(5):
        handle = Handle("phone", f"+1555123{number:04}")
        await store.append([said(number, handle)])
        whose = await customer(store, handle)
        ids = await asyncio.gather(*(store.request_erasure("shop", whose, "a test") for _ in range(4)))
        assert None not in ids and len(set(ids)) == 1


@pytest.mark.parametrize("approval", [True, False])
async def test_who_asks_again_after_a_link_asks_for_another(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, approval: bool
) -> None:
    """Else whoever asks for Bo's would be told of the other one's, and Bo would stay. Before the link the same is the same."""
    await store.append([said(1, ANA), said(2, BO)])
    ids = sorted([(await customer(store, ANA), ANA), (await customer(store, BO), BO)])
    (first, one), (second, other) = ids

    async def ask(whose: UUID) -> UUID:
        id = await asked(store, whose) if approval else await store.request_erasure("shop", whose, "a test")
        assert id is not None
        return id

    id = await ask(first)
    assert await ask(first) == id
    await link(store, one, other)
    assert await customer(store, other) == first
    again = await ask(second)
    assert again != id and await ask(second) == again == await ask(first)
    for each in (id, again):
        if approval:
            await approved(store, each)
        await Eraser(store, settings(tmp_path)).run(each)
        left = [handle for handle in (one, other) if await store.customer_of("shop", handle.kind, handle.value)]
        assert left == ([other] if each == id else [])
    assert await read(postgres_dsn.owner, "SELECT state FROM erasures") == ["completed"] * 2


@pytest.mark.parametrize("second", [False, True], ids=["alone", "with a second person"])
async def test_one_with_many_handles_is_erased(store: EventStore, tmp_path: Path, second: bool) -> None:
    """What he has is compared, however much it is."""
    theirs = [Handle("email", f"{n}@example.com") for n in range(COUNT)]
    await store.append([linking(one, other) for one, other in pairwise(theirs)])
    whose = await customer(store, theirs[0])
    assert whose == await customer(store, theirs[-1])
    if second:
        await approved(store, await asked(store, whose))
    id = await store.request_erasure("shop", whose, "a test")
    assert id is not None and id == await store.request_erasure("shop", whose, "a test")
    done = await Eraser(store, settings(tmp_path)).run(id)
    assert done["state"] == "completed" and len(done["handles"]) == COUNT
