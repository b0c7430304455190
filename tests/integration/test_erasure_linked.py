"""Links that are stated between the request and the fence take nothing away from an erasure, and add nobody's decisions to it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio

from app.erasing.steps import Eraser
from schemas.events import Handle
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.erasures import ANA_MAIL, BO, START, customer, erased, places, read, said, settings
from tests.integration.test_erasure import rebuilt
from tests.integration.test_erasure_asked import HERS, USER, approved, asked, link
from tests.integration.test_erasure_shared import BY, NUMBER, SINCE, log, words
from tests.support.keys import SEAL

MINE, LATER = "krautkopf", "rotkohl"
#: Others who turn out to have the same address: one more than one person has.
OTHERS = [Handle("user_id", f"another-{n}") for n in range(6)]


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened_store:
        yield opened_store


async def wanted(store: EventStore, whose: UUID, second: bool) -> UUID:
    """Request an erasure, or ask for one that a second person has to approve."""
    id = await asked(store, whose) if second else await store.request_erasure("shop", whose, "a test")
    assert id is not None
    return id


@pytest.mark.parametrize("second", [False, True], ids=["alone", "with a second person"])
@pytest.mark.parametrize("time", range(3))
async def test_an_address_that_many_turn_out_to_have(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, time: int, second: bool
) -> None:
    """She and her address are one customer, whichever id that has, until others are linked with the address. What she said at both until
    she asked goes, and her own id; what is said at the address later stays, with it."""
    text = {"content": {"text": MINE}}
    await store.append([said(1, USER, payload=text), said(2, HERS, channel="email", payload=text)])
    await link(store, USER, HERS)
    whose = await customer(store, USER)
    assert whose == await customer(store, HERS)
    id = await wanted(store, whose, second)
    for other in OTHERS:
        await link(store, other, HERS)
    assert await customer(store, USER) != await customer(store, HERS)
    later = datetime.now(UTC) + timedelta(minutes=5)
    event, client, *_ = said(3, HERS, channel="email", payload={"content": {"text": LATER}}, occurred_at=later)
    await store.append([(replace(event), client, later, None)])
    if second:
        await approved(store, id)
    done = await Eraser(store, settings(tmp_path)).run(id)

    text_left = await log(postgres_dsn, store)
    assert MINE not in text_left and LATER in text_left
    assert await places(postgres_dsn, USER.value) == {} and len(done["handles"]) == len(done["kept"]) == 1
    assert [row["content"]["text"] for row in await store.timeline("shop", await customer(store, HERS))] == [LATER]
    assert await store.customer_of("shop", USER.kind, USER.value) == []
    assert await rebuilt(postgres_dsn)


async def test_what_a_person_took_away_since_stays(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """An operator had merged two, and undoes it while the erasure is under way by another id: the other one stays."""
    await store.append([said(1, BO), said(2, HERS, channel="email")])
    mine, other = await customer(store, HERS), await customer(store, BO)
    merge = await store.merge_customers("shop", mine, other, BY)
    id = await store.request_erasure("shop", mine, "a test")
    assert id is not None and merge.event_id is not None
    # As a decision by another process in the moment before the request was written.
    under_way = await read(postgres_dsn.owner, "UPDATE erasures SET state = 'completed' RETURNING id")
    await store.undo_customer_change("shop", merge.event_id, BY)
    await read(postgres_dsn.owner, "UPDATE erasures SET state = 'requested' RETURNING id")
    assert under_way == [id]
    await Eraser(store, settings(tmp_path)).run(id)
    assert await store.customer_of("shop", HERS.kind, HERS.value) == []
    assert len(await store.timeline("shop", await customer(store, BO))) == 1


@pytest.mark.parametrize("time", range(3))
async def test_reasons_about_another_holder_who_was_linked_later_stay(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, time: int
) -> None:
    """The number is the second one's now. A link makes both one customer after the first one's erasure was asked for: reasons of
    decisions in which the second one alone took part stay, those about the first go."""
    why = [replace(BY, cause=f"reason {n}") for n in range(3)]
    await store.append(
        [words(1, MINE), said(2, HERS, channel="email"), said(3, BO), said(4, ANA_MAIL, channel="email")]
    )
    first = await customer(store, NUMBER)
    await store.merge_customers("shop", first, await customer(store, HERS), why[0])
    (handle,) = await read(
        postgres_dsn.owner, f"SELECT id FROM handles WHERE kind = 'phone' AND customer_id = '{first}'"
    )
    second = (await store.unlink_handle("shop", first, handle, SINCE, why[1])).becomes
    await store.append([words(101, LATER)])
    await store.merge_customers("shop", second, await customer(store, BO), why[2])
    id = await store.request_erasure("shop", first, "a test")
    assert id is not None
    await link(store, HERS, ANA_MAIL)
    await link(store, ANA_MAIL, BO, START + timedelta(minutes=1))
    assert await customer(store, HERS) == await customer(store, BO)
    await Eraser(store, settings(tmp_path)).run(id)
    kept = "SELECT count(cause) FROM customer_changes GROUP BY event_id ORDER BY min(position)"
    assert (await read(postgres_dsn.owner, kept))[:3] == [0, 0, 1]
    assert LATER in await log(postgres_dsn, store) and MINE not in await log(postgres_dsn, store)
    assert await rebuilt(postgres_dsn)


async def test_a_crowded_address_alone_is_erased(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Whoever asks for the address itself, many people's as it is, gets it."""
    await store.append([said(2, HERS, channel="email", payload={"content": {"text": MINE}})])
    for other in OTHERS:
        await link(store, other, HERS)
    done = await erased(store, tmp_path, await customer(store, HERS))
    assert done["kept"] == [] and MINE not in await log(postgres_dsn, store)
    assert await store.customer_of("shop", HERS.kind, HERS.value) == []
