"""Erasure of who had an address that is another's now, or was: that one's words go, the other's stay byte for byte."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from app.auditing.anchors import private_key
from app.erasing.receipt import read_receipt
from app.erasing.steps import Eraser
from schemas.events import Error, Event, Handle
from sql import Deciding, EventStore, Row
from tests.conftest import Dsns
from tests.integration.erasures import (
    ANA_MAIL,
    SIGNING,
    START,
    asked_for,
    customer,
    erased,
    letter,
    places,
    read,
    said,
    settings,
)
from tests.integration.test_erasure import STATES, killed, rebuilt
from tests.integration.test_erasure_replay import replayed
from tests.support.keys import SEAL
from tests.support.opened import opened

NUMBER, LIVELY = Handle("phone", "+15551230077"), "krautkopf"
OLD, NEW = f"the old one's {LIVELY}", "the new one's Rotkohl"
#: When the number has a new owner, and what the two wrote before and after.
SINCE = START + timedelta(minutes=100)
BY = Deciding("operator", "a test")


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened_store:
        yield opened_store


@dataclass(frozen=True)
class Two:
    """The customer who had the number, and the one who has it."""

    first: UUID
    second: UUID

    def whom(self, name: str) -> tuple[UUID, UUID, str]:
        """Return who is erased, who stays, and what only the erased one said."""
        return (self.first, self.second, OLD) if name == "first" else (self.second, self.first, NEW)


def words(number: int, text: str, type: str = "MessageReceived", **more: Any) -> Row:
    """An event with a text of the number's holder."""
    return said(number, NUMBER, type, **{"payload": {"content": {"text": text}}} | more)


def alone(number: int, type: str, text: str) -> Row:
    """An event of the number's holder that belongs to no interaction."""
    payload = {"basis": f"of {number}", "note": text} if type == "RecipientUnsubscribed" else {"native": {"note": text}}
    return said(number, NUMBER, type, provider_message_id=None, payload=payload)


async def two(store: EventStore, dsns: Dsns) -> Two:
    """Append what two owners of one number, one after the other, said and were told."""
    link = {"handles": [{"kind": each.kind, "value": each.value} for each in (NUMBER, ANA_MAIL)]}
    rows = [words(n, OLD) for n in range(1, 6)]
    rows += [words(6, OLD, "UserMessageSent", payload={"content": {"text": OLD}}), said(6, None, "MessageRead")]
    rows.append(said(2, None, "MessageFailed", error=Error("30003", f"{NUMBER.value} {OLD}", "unreachable")))
    rows.append((Event("HandleLinked", "twilio", "link", payload=link, occurred_at=START), "shop", START, None))
    rows += [alone(20, "RecipientUnsubscribed", OLD), alone(21, "ProviderEventReceived", OLD)]
    rows.append(said(22, ANA_MAIL, channel="email", payload={"content": {"text": OLD}}))
    await store.append(rows, dead=[letter(1, NUMBER), letter(2, NUMBER)])
    first = await customer(store, NUMBER)
    assert first == await customer(store, ANA_MAIL)
    (handle,) = await read(dsns.owner, "SELECT id FROM handles WHERE kind = 'phone' AND client_id = 'shop'")
    second = (await store.unlink_handle("shop", first, handle, SINCE, BY)).becomes
    await store.append(
        [words(n, NEW) for n in range(101, 105)] + [said(102, NUMBER, "MessageRead", direction="outbound")]
    )
    await store.append([alone(120, "RecipientUnsubscribed", NEW), alone(121, "ProviderEventReceived", NEW)])
    await store.append([alone(122, "RecipientSubscribed", NEW)])
    # One of the two dead letters came in the old owner's time.
    await read(dsns.owner, f"UPDATE dead_letters SET recorded_at = '{START}' WHERE \"offset\" = 1 RETURNING id")
    return Two(first, second)


async def log(dsns: Dsns, store: EventStore) -> str:
    """Return the whole log, opened with all keys that there are."""
    rows = await opened(
        dsns.owner,
        "SELECT type, source_event_id, provider_message_id, message_id, handle_id, payload, error FROM events ORDER BY position",
    )
    return "\n".join(json.dumps(row, default=str) for row in rows)


async def seen(store: EventStore, whose: UUID) -> bytes:
    """Return all that readers see of a customer: timeline, histories, handles, consents."""
    page = await store.timeline("shop", whose, limit=200)
    histories = [await store.history("shop", each["id"]) for each in page]
    side = await store.customer_assignments("shop", whose)
    return orjson.dumps([page, histories, side and side.assignments], default=str, option=orjson.OPT_SORT_KEYS)


async def consents(dsns: Dsns) -> list[Any]:
    """The consents as they are kept."""
    return await read(
        dsns.owner,
        "SELECT to_jsonb(c) FROM consents c JOIN handles h ON h.id = c.handle_id WHERE h.kind = 'phone' ORDER BY channel",
    )


@pytest.mark.parametrize("name", ["first", "second"])
async def test_only_what_the_erased_one_said_is_gone(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, name: str
) -> None:
    """Of who had the number, and of who has it: not even with the number's key can anything be read, nobody has his interactions;
    the other's timeline, histories and address are as before, and a rebuild gives the same."""
    both = await two(store, postgres_dsn)
    whose, other, theirs = both.whom(name)
    before, kept = await seen(store, other), await consents(postgres_dsn)
    assert theirs in await log(postgres_dsn, store) and len(await store.timeline("shop", whose)) > 3
    done = await erased(store, tmp_path, whose)

    text = await log(postgres_dsn, store)
    assert theirs not in text and (OLD if theirs == NEW else NEW) in text
    assert await seen(store, other) == before
    assert await consents(postgres_dsn) == kept
    assert await store.timeline("shop", whose) == []
    assert await store.customer_assignments("shop", whose) is None
    assert set(await places(postgres_dsn, theirs)) == set()
    (still,) = await store.customer_of("shop", NUMBER.kind, NUMBER.value)
    assert still["customer_id"] == other if name == "first" else still["customer_id"] not in (whose, other)
    assert await read(
        postgres_dsn.owner, "SELECT count(*) FROM handles WHERE digest IS NOT NULL AND kind = 'phone'"
    ) == [1]
    left = await read(postgres_dsn.owner, 'SELECT "offset" FROM dead_letters ORDER BY 1')
    assert left == ([2] if name == "first" else [1])
    assert await rebuilt(postgres_dsn)
    assert await seen(store, other) == before

    receipt = read_receipt(orjson.dumps(done["receipt"]), [private_key(SIGNING).public_key()])
    assert receipt["handlesKept"] == [each["handleId"] for each in receipt["emptied"]]
    (interval,) = receipt["emptied"]
    assert (interval["from"], interval["to"]) == (
        (None, _json(SINCE)) if name == "first" else (_json(SINCE), receipt["emptied"][0]["to"])
    )
    assert "backups, of what was emptied" in receipt["unreadableBy"]
    rows = receipt["rows"]
    assert rows["interactions"]["before"] == (7 if name == "first" else 4) and rows["interactions"]["after"] == 0
    assert rows["eventsAlone"] == {"before": 2 if name == "first" else 3, "after": 0}
    assert rows["deadLetters"] == {"before": 1, "after": 0}


def _json(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


async def test_what_is_told_again_adds_nothing(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Webhooks of the old owner's time that are read again are known; those of the new one too."""
    both = await two(store, postgres_dsn)
    await erased(store, tmp_path, both.first)
    before = await seen(store, both.second)
    again = [words(n, OLD) for n in range(1, 6)] + [words(n, NEW) for n in range(101, 105)]
    again += [alone(20, "RecipientUnsubscribed", OLD), alone(21, "ProviderEventReceived", OLD)]
    assert (await store.append(again)).appended == 0
    assert OLD not in await log(postgres_dsn, store) and await seen(store, both.second) == before


async def test_what_comes_of_the_number_afterwards_is_a_new_customers(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Who has the number is erased: who writes next is neither he nor the one before. What comes late of his time goes with another
    request. When the one before is erased too, the address itself goes, once the third has gone as well."""
    both = await two(store, postgres_dsn)
    await store.accept([asked_for("m7", NUMBER)])
    await erased(store, tmp_path, both.second)
    assert await read(postgres_dsn.owner, "SELECT message_id FROM messages") == []
    moment: dict[str, Any] = {"occurred_at": datetime.fromisoformat("2026-12-24T00:00:00Z")}
    row = words(500, "Weisskraut", **moment)
    await store.append([(row[0], "shop", moment["occurred_at"], None)])
    (now,) = await store.customer_of("shop", NUMBER.kind, NUMBER.value)
    third = now["customer_id"]
    assert third not in (both.first, both.second)
    assert [each["content"] for each in await store.timeline("shop", third)] == [{"text": "Weisskraut"}]

    await store.append([words(130, "late Rotkohl")])
    assert len(await store.timeline("shop", both.second)) == 1
    await erased(store, tmp_path, both.second)
    assert await store.timeline("shop", both.second) == [] and "late Rotkohl" not in await log(postgres_dsn, store)
    assert len(await store.timeline("shop", third)) == 1 and len(await store.timeline("shop", both.first)) == 7

    await erased(store, tmp_path, both.first)
    assert await store.customer_of("shop", NUMBER.kind, NUMBER.value)
    done = await erased(store, tmp_path, third)
    assert len(done["handles"]) == 1 and done["kept"] == []
    assert await places(postgres_dsn, NUMBER.value) == {}
    assert await store.customer_of("shop", NUMBER.kind, NUMBER.value) == []
    assert await rebuilt(postgres_dsn)


@pytest.mark.parametrize("at", [*STATES, "amid", "completed"])
async def test_it_goes_on_wherever_it_was_killed(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, at: str
) -> None:
    """kill -9 after each step and amid the removals, of who has the number; another process does the rest."""
    both = await two(store, postgres_dsn)
    before = await seen(store, both.first)
    id = await store.request_erasure("shop", both.second, "asked for it")
    assert id is not None
    await killed(postgres_dsn, id, at, tmp_path)
    done = await Eraser(store, settings(tmp_path)).run(id)
    assert NEW not in await log(postgres_dsn, store) and await seen(store, both.first) == before
    assert done["receipt"]["rows"]["interactions"] == {"before": 4, "after": 0}
    cuts = "SELECT count(*) FROM events WHERE type = 'HandleUnlinked'"
    assert await read(postgres_dsn.owner, cuts) == [2]
    assert await store.customer_assignments("shop", both.second) is None
    assert await rebuilt(postgres_dsn)


async def test_a_ledger_repeats_it(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """After a restore that lost the erasure, and once more for what Kafka brings back; a third time changes nothing."""
    both = await two(store, postgres_dsn)
    before = await seen(store, both.second)
    done = await erased(store, tmp_path, both.first)
    assert NUMBER.value.encode() not in (tmp_path / "ledger").read_bytes()
    # As a restored database: it does not know the erasure, and there is something of before again.
    for table in ("erasures", "erased_intervals"):
        await read(postgres_dsn.owner, f"DELETE FROM {table} RETURNING 1")
    await store.append([words(n, OLD, source="again") for n in range(1, 6)] + [words(7, OLD)])
    assert OLD in await log(postgres_dsn, store)
    assert (await replayed(postgres_dsn, tmp_path))["erasures"] == 1
    assert OLD not in await log(postgres_dsn, store) and await seen(store, both.second) == before
    repeats = "SELECT repeats::text || ' ' || state FROM erasures"
    assert await read(postgres_dsn.owner, repeats) == [f"{done['id']} completed"]
    assert (await replayed(postgres_dsn, tmp_path))["addresses"] == 0
    await store.append([words(8, OLD)])
    assert (await replayed(postgres_dsn, tmp_path))["addresses"] == 1
    assert OLD not in await log(postgres_dsn, store) and await seen(store, both.second) == before
    assert (await replayed(postgres_dsn, tmp_path))["addresses"] == 0
    assert await rebuilt(postgres_dsn)
