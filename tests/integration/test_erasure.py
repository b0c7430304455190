"""Erasure on real PostgreSQL: what is gone, what stays, and that it goes on wherever it was killed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.erasing.receipt import digest_of, read_receipt
from app.auditing.anchors import private_key
from app.erasing.steps import Eraser
from sql import EventStore
from sql.erasing import Held
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import (
    ANA,
    ANA_MAIL,
    BO,
    SIGNING,
    WORDS,
    asked_for,
    customer,
    erased,
    filled,
    places,
    read,
    said,
    settings,
)
from tests.integration.test_rebuild import tables
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it, so that its privileges are tested too."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def test_nothing_of_the_customer_is_left_and_all_of_others(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Neither in any table nor for any reader; the receipt says what there was, and its signature is checked."""
    whose, other = await filled(store), await customer(store, ANA, "other")
    before = {name: await store.timeline("shop", await customer(store, BO)) for name in ("bo",)}
    assert await places(postgres_dsn, ANA.value)  # the dead letter
    done = await erased(store, tmp_path, whose)

    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value) == {}
    assert await store.timeline("shop", whose) == []
    assert await store.customer_of("shop", ANA.kind, ANA.value) == []
    assert await store.timeline("shop", await customer(store, BO)) == before["bo"]
    assert len(await store.timeline("other", other)) == 2
    rows = done["receipt"]["rows"]
    assert {name: each["before"] for name, each in rows.items()} == {
        "handleKeys": 2, "handleDigests": 2, "interactions": 6, "events": 7, "eventsReadable": 7, "messages": 1,
        "attempts": 0, "messageKeys": 0, "idempotencyKeys": 0, "deliveries": 0, "consents": 1, "profiles": 0,
        "deadLetters": 1,
    }  # fmt: skip
    assert {name for name, each in rows.items() if each["after"]} == {"events"}
    receipt = read_receipt(_json(done["receipt"]), [private_key(SIGNING).public_key()])
    (event,) = await read(postgres_dsn.owner, "SELECT payload FROM events WHERE type = 'CustomerErased'")
    assert event == {
        "customerId": str(whose),
        "erasureId": str(done["id"]),
        "handleIds": receipt["keysDestroyed"],
        "receiptSha256": digest_of(receipt),
    }


def _json(value: Any) -> bytes:
    import orjson

    return orjson.dumps(value)
