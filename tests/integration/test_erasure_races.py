"""What comes in just while an erasure sets its fence, or after another process did: each is as if it had come before or after."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from app.erasing.steps import Eraser
from sql import EventStore
from sql.erasures import Held
from tests.conftest import Dsns
from tests.integration.erasures import ANA, ANA_MAIL, asked_for, customer, erased, filled, places, read, said, settings
from tests.integration.test_sending_store import settled
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def requested(store: EventStore, whose: UUID) -> UUID:
    """Request an erasure; return its id."""
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None
    return id


async def test_a_hold_is_set_before_the_fence_or_not_at_all(
    store: EventStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Amid the transaction of the fence: nobody is told of a hold that has no effect."""
    whose = await filled(store)
    until, note = datetime.now(UTC) + timedelta(days=3), EventStore._note
    setting: list[asyncio.Task[Any]] = []

    async def noting(*given: Any, **more: Any) -> None:
        if not setting:
            setting.append(asyncio.create_task(store.set_hold("shop", whose, "lawsuit 7", until)))
            await asyncio.sleep(1)
        await note(*given, **more)

    monkeypatch.setattr(EventStore, "_note", noting)
    done = await Eraser(store, settings(tmp_path)).run(await requested(store, whose))
    assert done["state"] == "completed"
    assert await setting[0] is None


async def sends(store: EventStore, leaving: dict[str, Any], erasing: asyncio.Task[Any]) -> None:
    """Let an erasure go on for a while, and write then that a message left."""
    await asyncio.wait([erasing], timeout=2)
    sent = said(50, ANA, "UserMessageSent", message_id=leaving["message_id"], source="threadline")
    await store.settle([settled(leaving, "sent", provider_message_id="p50")], [sent])
    await asyncio.wait_for(erasing, 60)


async def test_a_message_that_leaves_as_a_hold_ends_is_waited_for(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """However long ago the erasure was requested: it could not set its fence until now."""
    whose = await filled(store)
    id, eraser = await requested(store, whose), Eraser(store, settings(tmp_path))
    assert await store.set_hold("shop", whose, "lawsuit 7", datetime.now(UTC) + timedelta(days=30))
    with pytest.raises(Held):
        await eraser.run(id)
    await read(postgres_dsn.owner, "UPDATE erasures SET requested_at = now() - interval '1 hour' RETURNING id")
    await store.accept([asked_for("m6", ANA)])
    (leaving,) = [row for row in await store.claim(9, 60.0, {}) if row["message_id"] == "m6"]
    assert await store.end_hold("shop", whose)
    await sends(store, leaving, asyncio.create_task(eraser.run(id)))
    assert await store.customer_of("shop", ANA.kind, ANA.value) == []
    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value) == {}


async def test_a_message_that_leaves_since_the_last_look_is_waited_for(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was accepted and claimed while the fence waited for its lock."""
    await store.append([said(1, ANA)])
    look, claimed = EventStore.cancel_erased, asyncio.Event()
    leaving: list[dict[str, Any]] = []

    async def looking(*given: Any) -> int:
        found = await look(*given)
        if not leaving:
            await store.accept([asked_for("m6", ANA)])
            leaving.extend(await store.claim(9, 60.0, {}))
            claimed.set()
        return found

    monkeypatch.setattr(EventStore, "cancel_erased", looking)
    id = await requested(store, await customer(store, ANA))
    erasing = asyncio.create_task(Eraser(store, settings(tmp_path)).run(id))
    await claimed.wait()
    await sends(store, leaving[0], erasing)
    assert await store.customer_of("shop", ANA.kind, ANA.value) == []
    assert await places(postgres_dsn, ANA.value) == {}


async def test_a_profile_is_whoever_has_the_address_now(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Also where this process knew the erased handle, as another one erased it just now."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as other:
        await store.set_profile("shop", ANA, zone="Europe/Berlin")
        await erased(other, tmp_path, await customer(other, ANA))
        await store.set_profile("shop", ANA, zone="Asia/Tokyo")
        profile = await other.profile("shop", ANA)
    assert profile is not None and profile["zone"] == "Asia/Tokyo"
    of_erased = "SELECT count(*) FROM profiles p JOIN handles h ON h.id = p.handle_id WHERE h.erased_at IS NOT NULL"
    assert await read(postgres_dsn.owner, of_erased) == [0]
