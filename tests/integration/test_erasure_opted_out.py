"""An opt-out at an address that is erased, and that counted for another address, counts for it afterwards too: no erasure lets a message
through that was stopped before."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from app.erasing.steps import Eraser
from schemas.events import Event, Handle
from sql import Deciding, EventStore
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import ANA, ANA_MAIL, BO, START, asked_for, customer, erased, said, settings
from tests.support.keys import SEAL

USER = Handle("user_id", "ana")
BY = Deciding("operator", "a test")
#: Options of events that are about no message.
ALONE: dict[str, Any] = {"provider_message_id": None, "channel": "sms"}


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


def linked(number: int, one: Handle, other: Handle) -> Any:
    """A statement of a provider that two handles are one person's."""
    payload = {"handles": [{"kind": each.kind, "value": each.value} for each in (one, other)]}
    return Event("HandleLinked", "twilio", f"link-{number}", payload=payload), "shop", datetime.now(UTC), None


async def recycled(store: EventStore) -> None:
    """Ana has a number that another one had before, whose key stays therefore."""
    await store.append([said(1, ANA)])
    (before,) = await store.customer_of("shop", ANA.kind, ANA.value)
    await store.unlink_handle("shop", before["customer_id"], before["id"], START + timedelta(minutes=5), BY)
    await store.append([said(10, ANA), linked(1, ANA, USER)])


async def apart(store: EventStore) -> None:
    """A number that was stated with Ana's user id turned out to be many people's, and is a customer by itself."""
    await store.append([said(1, ANA), *(linked(n, ANA, Handle("user_id", f"u{n}")) for n in range(9))])
    await store.append([linked(10, ANA, USER)])


async def asked_before(store: EventStore) -> None:
    """The erasure was asked for before the number was linked, and is of the user id alone."""
    await store.append([said(1, USER), said(2, ANA)])
    id = await store.request_erasure("shop", await customer(store, USER), "asked for it")
    assert id is not None
    await store.append([linked(1, ANA, USER)])


@pytest.mark.parametrize("history", [recycled, apart, asked_before])
async def test_what_was_stopped_stays_stopped(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, history: Any
) -> None:
    """At sending and for readers, also after a rebuild, until the address itself opts in; by no other channel."""
    await history(store)
    await store.append([said(20, USER, "RecipientUnsubscribed", **ALONE)])
    assert [row["opted_out"] for row in await store.consents("shop", ANA)] == [True]
    for id in await store.erasures_due():
        await Eraser(store, settings(tmp_path)).run(id)
    if history is not asked_before:
        await erased(store, tmp_path, await customer(store, USER))
    assert await store.customer_of("shop", USER.kind, USER.value) == []
    assert await store.customer_of("shop", ANA.kind, ANA.value) != []
    for _ in range(2):
        found = [(row["channel"], row["opted_out"]) for row in await store.consents("shop", ANA)]
        assert found == [("sms", True)]
        await rebuild(postgres_dsn.owner)
    await store.accept([asked_for("m1", ANA), asked_for("m2", BO)])
    assert {row["message_id"]: row["opted_out"] for row in await store.claim(9, 60.0, {})} == {
        "m1": ["sms"],
        "m2": None,
    }
    start = {**ALONE, "occurred_at": START + timedelta(days=1)}
    await store.append([said(30, ANA, "RecipientSubscribed", **start)])
    assert [row["opted_out"] for row in await store.consents("shop", ANA)] == [False]


async def test_what_did_not_count_does_not_count(store: EventStore, tmp_path: Path) -> None:
    """Not for an address that opted in since, nor for one that a split keeps apart, nor for a stranger's."""
    await store.append([said(1, ANA), said(2, ANA_MAIL), said(3, BO), linked(1, ANA, USER), linked(2, ANA_MAIL, USER)])
    for n in range(9):
        await store.append([linked(10 + n, ANA, Handle("user_id", f"u{n}"))])
    whose = await customer(store, USER)
    (mail,) = [row for row in await store.handles("shop", whose) if row["kind"] == "email"]
    await store.split_customer("shop", whose, [mail["id"]], BY)
    await store.append([said(20, USER, "RecipientUnsubscribed", **ALONE)])
    await store.append([said(40, ANA, "RecipientSubscribed", **ALONE)])
    before = [await store.consents("shop", each) for each in (ANA, ANA_MAIL, BO)]
    assert [[row["opted_out"] for row in rows] for rows in before] == [[False], [], []]
    await erased(store, tmp_path, await customer(store, USER))
    after = [await store.consents("shop", each) for each in (ANA, ANA_MAIL, BO)]
    assert [[row["opted_out"] for row in rows] for rows in after] == [[False], [], []]
