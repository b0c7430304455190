"""Erasure of what the archive alone has of a message, since retention took its interaction: also what names no handle."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.erasing.steps import Eraser
from schemas.events import Error, Event, Handle
from sql import EventStore, Row
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import settings
from tests.integration.test_archive import MARCH, MOVED, RELAYED, START, execute, log_of
from tests.integration.test_erasure_archived import asked, in_archive, told
from tests.integration.test_erasure_shared import BY
from tests.integration.test_rebuild import tables
from tests.support.keys import SEAL

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")

WHO = Handle("phone", "+15550000002")
FIRST, SECOND = "what the first owner was told", "what the second one says"
FAILED = Error("30003", f"{WHO.value}: {FIRST}", "unreachable")


def row(n: int, type: str, **more: Any) -> Row:
    """An event so many seconds after the start; the number has its second owner from the 50th on."""
    at = START + timedelta(seconds=n)
    return (Event(type, "twilio", f"{type} {n}", channel="sms", occurred_at=at, **more), "default", at, None)


#: A message to the first owner of which only one event, without a handle, has the provider's id, its failure, and its delivery in the
#: second one's time; and a message of that one.
HISTORY = [
    row(1, "MessageRequested", message_id="m1", handle=WHO, payload={"content": {"text": FIRST}}),
    row(2, "MessageQueued", message_id="m1", provider_message_id="x1"),
    row(3, "MessageFailed", provider_message_id="x1", error=FAILED),
    row(60, "MessageDelivered", provider_message_id="x1", handle=WHO),
    row(100, "MessageReceived", provider_message_id="x100", handle=WHO, payload={"content": {"text": SECOND}}),
]
#: What names no handle and what names one, told after retention took the interaction.
LATE = [
    row(4, "MessageFailed", provider_message_id="x1", error=FAILED),
    row(70, "MessageRead", provider_message_id="x1", handle=WHO, payload={"native": {"note": FIRST}}),
]


async def gone(store: EventStore, dsns: Dsns, folder: Path, history: list[Row]) -> tuple[UUID, UUID]:
    """Archive a history, one event after the other; then let retention take all timelines. Return the two owners."""
    for each in history:
        await store.append([each])
    await execute(dsns.owner, MOVED)
    await store.append(log_of(60, 62))
    await execute(dsns.owner, RELAYED)
    await asyncio.to_thread(in_archive, dsns, folder, lambda archive: archive.archive(2))
    (found,) = await store.customer_of("default", WHO.kind, WHO.value)
    cut = await store.unlink_handle("default", found["customer_id"], found["id"], START + timedelta(seconds=50), BY)
    configured = {"channels": [{"channel": "sms", "account": "twilio"}], "retention": {"sms": 30}}
    await store.set_client("default", configured, "test")
    await store.remove_expired({}, lambda *_: None, pause=0)
    return found["customer_id"], cut.becomes


async def restored(dsns: Dsns, folder: Path) -> str:
    """Return all that can be read once the month is back; everything that is computed anew is as it was."""
    live = await tables(dsns.owner)
    await asyncio.to_thread(in_archive, dsns, folder, lambda archive: archive.restore(MARCH))
    await rebuild(dsns.owner)
    assert await tables(dsns.owner) == live
    return await told(dsns)


@pytest.mark.parametrize("late", [[], [0], [1], [0, 1], [1, 0]], ids=str)
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 2, 1, 0, 4], [2, 1, 3, 4, 0]], ids=str)
async def test_what_is_told_of_a_message_goes_with_it(
    postgres_dsn: Dsns, tmp_path: Path, order: list[int], late: list[int]
) -> None:
    """The message is known by two references, which only an event without a handle ties, in whatever order they came. What was told of
    it after retention goes too, from the log as well: of nobody, or in the second owner's time."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        first, _ = await gone(store, postgres_dsn, folder, [HISTORY[each] for each in order])
        for each in late:
            await store.append([LATE[each]])
        assert (FIRST in await told(postgres_dsn)) == bool(late)
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, first))
        assert done["receipt"]["archive"]["events"] == 4
        assert done["receipt"]["rows"]["eventsWithContent"]["after"] == 0
        assert done["receipt"]["rows"]["interactions"]["after"] == 0
        assert FIRST not in await told(postgres_dsn)
        text = await restored(postgres_dsn, folder)
    assert FIRST not in text and SECOND in text


async def test_versions_of_an_event_are_of_one_message(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A repeat that knows the message by another of its ids ties the two, though it names no handle."""
    folder = tmp_path / "archive"
    again = Event("MessageFailed", "twilio", "again", channel="sms", occurred_at=START, message_id="m8", error=FAILED)
    other = replace(again, message_id=None, provider_message_id="x9")
    history: list[Row] = [
        (again, "default", START, None),
        (other, "default", START, None),
        row(5, "MessageDelivered", provider_message_id="x9", handle=WHO),
    ]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        first, _ = await gone(store, postgres_dsn, folder, history)
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, first))
        assert done["receipt"]["archive"]["events"] == 3
        assert FIRST not in await restored(postgres_dsn, folder)


async def test_a_report_in_the_second_owners_time_leaves_the_message_the_firsts(
    postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """A message begins once, by whatever reference it is known: the second owner's erasure empties what began in his time alone."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        _, second = await gone(store, postgres_dsn, folder, HISTORY)
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, second))
        assert done["receipt"]["archive"]["events"] == 1
        text = await restored(postgres_dsn, folder)
    assert FIRST in text and SECOND not in text


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [3, 2, 1, 0, 4]], ids=str)
async def test_a_late_report_in_the_second_owners_time_takes_nothing_of_the_firsts(
    postgres_dsn: Dsns, tmp_path: Path, order: list[int]
) -> None:
    """It stood on the second one's timeline, as retention took the message: it goes with that one, and what the archive has of the
    message stays the first one's, and goes with him."""
    folder = tmp_path / "archive"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        first, second = await gone(store, postgres_dsn, folder, [HISTORY[each] for each in order])
        await store.append([LATE[1]])
        assert FIRST in await told(postgres_dsn)
        done = await Eraser(store, settings(tmp_path)).run(await asked(store, second))
        assert done["receipt"]["archive"]["events"] == 1
        assert FIRST not in await told(postgres_dsn)
        live = await store.timeline("default", first)
        text = await restored(postgres_dsn, folder)
        assert FIRST in text and SECOND not in text
        assert await store.timeline("default", first) == live
        left = await Eraser(store, settings(tmp_path)).run(await asked(store, first))
        assert left["receipt"]["rows"]["interactions"]["after"] == 0
    assert FIRST not in await told(postgres_dsn)
