"""Erasure of one of two customers whose events are in one interaction, as a provider gave two messages one id: his part goes, and what
stays is as if he had never been in it."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from app.auditing.anchors import private_key
from app.erasing.receipt import read_receipt
from schemas.events import Error, Handle
from sql import EventStore, Row
from tests.conftest import Dsns
from tests.integration.erasures import (
    ANA,
    ANA_MAIL,
    BO,
    SIGNING,
    START,
    customer,
    erased,
    read,
    said,
)
from tests.integration.test_erasure import rebuilt
from tests.integration.test_erasure_shared import log
from tests.support.keys import SEAL

#: What each said and was told, and what a report said that names nobody.
HIS, OTHERS, NOBODYS = "krautkopf", "rotkohl", "weisskraut"
WORDS = {ANA.value: HIS, BO.value: OTHERS, None: NOBODYS}
ID = "used-twice"
USER = Handle("user_id", "u-of-two")


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened_store:
        yield opened_store


def told(minute: int, handle: Handle | None, type: str, **more: Any) -> Row:
    """An event of the message that two people have, with words of whom it names."""
    text = WORDS.get(handle and handle.value, HIS)
    fields: dict[str, Any] = {"provider_message_id": ID, "occurred_at": START + timedelta(minutes=minute)}
    if type in ("MessageReceived", "UserMessageSent", "MessageRequested", "MessageEdited"):
        fields["payload"] = {"content": {"text": text, f"of {text}": text}}
    if type in ("MessageFailed", "MessageDelayed"):
        fields["error"] = Error(f"code {text}", text, "unreachable")
    id = more.pop("source_event_id", f"{type} {minute} {text}")
    event, *rest = said(minute, handle, type, **(fields | more))
    return (replace(event, source_event_id=id), *rest)


#: The words are of both, and nobody else's: each fact, channel, failure, direction and text is of one of them alone.
TWO = [
    told(1, ANA, "MessageReceived", channel="sms"),
    told(2, BO, "UserMessageSent", channel="whatsapp"),
    told(3, ANA, "MessageFailed", channel="email"),
    told(4, BO, "MessageDelayed", channel="whatsapp"),
    told(5, ANA, "MessageEdited", channel="sms", direction="inbound"),
    told(6, BO, "MessageDelivered", channel="whatsapp"),
    told(7, None, "MessageFailed", channel="sms"),
    told(8, None, "MessageRead"),
    told(9, ANA, "RecipientUnsubscribed", channel="sms"),
]
#: A service used an id of a provider for two of its messages; only events without a person tie one of them, and one event is told twice.
TIED = [
    told(1, ANA, "MessageRequested", provider_message_id=None, message_id="of-ana"),
    told(2, BO, "MessageRequested", provider_message_id=None, message_id="of-bo"),
    told(3, None, "MessageQueued", message_id="of-ana"),
    told(4, None, "MessageQueued", message_id="of-bo"),
    told(5, None, "MessageDelivered"),
    told(6, BO, "MessageRead"),
]
#: A version of an event names nobody, and another one does.
VERSIONS = [
    told(1, BO, "MessageDelivered"),
    told(2, None, "MessageFailed", source_event_id="twice", error=Error("1", HIS, "unreachable")),
    told(2, ANA, "MessageFailed", source_event_id="twice", error=Error("1", HIS, "unreachable"), message_id="of-ana", provider_message_id=None),
    told(3, ANA, "UserMessageSent", message_id="of-ana"),
]  # fmt: skip
HISTORIES = {"two": TWO, "tied": TIED, "versions": VERSIONS}


def others(history: list[Row], whose: Handle) -> list[Row]:
    """Return what is left of a history: without the events of one person, also of those by his message or by another version alone; what
    may be anybody's has no words any more."""
    known: dict[str | None, set[bool]] = {}
    for event, *_ in history:
        if event.handle is not None:
            for each in (event.message_id, event.source_event_id):
                known.setdefault(each, set()).add(event.handle == whose)
    left: list[Row] = []
    for event, client, at, webhook in history:
        said_of = known.get(event.source_event_id) or (event.message_id and known.get(event.message_id))
        is_his = {event.handle == whose} if event.handle is not None else said_of or set()
        if is_his == {True}:
            continue
        if not is_his:
            error = event.error and replace(event.error, code=None, text=None)
            event = replace(event, payload={}, error=error, message_id=None)
        left.append((replace(event), client, at, webhook))
    return left


async def shown(store: EventStore, client: str, handle: Handle) -> list[dict[str, Any]]:
    """Return a customer's timeline without what is random."""
    rows = await store.timeline(client, await customer(store, handle, client), limit=200)
    return [{name: value for name, value in row.items() if name not in RANDOM} for row in rows]


RANDOM = ("id", "client_id", "customer_id", "handle_id", "address_id")


async def owner(dsns: Dsns) -> Handle:
    """Return who owns the interaction."""
    kinds = "SELECT h.id FROM interactions i JOIN handles h ON h.id = i.handle_id WHERE i.client_id = 'shop' AND NOT superseded"
    (id,) = await read(dsns.owner, kinds)
    async with await EventStore.open(dsns.service, SEAL, pool=1) as opened_store:
        (mine,) = [
            each for each in (ANA, BO) if (await opened_store.customer_of("shop", each.kind, each.value))[0]["id"] == id
        ]
    return mine


async def as_if(store: EventStore, history: list[Row], whose: Handle) -> None:
    """Append what is left of a history for another client."""
    for event, _, at, webhook in others(history, whose):
        await store.append([(event, "as-if", at, webhook)])


@pytest.mark.parametrize("which", ["owner", "other"])
@pytest.mark.parametrize("name", HISTORIES)
async def test_what_stays_is_as_if_he_had_never_been(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, name: str, which: str
) -> None:
    """Whoever of the two owns the interaction. Nothing of the erased one is left in any row, the other's timeline has what he said and was
    told and no more, and a rebuild gives the same."""
    history = HISTORIES[name]
    for row in history:
        await store.append([row])
    mine = await owner(postgres_dsn)
    who = mine if which == "owner" else BO if mine == ANA else ANA
    other = BO if who == ANA else ANA
    await as_if(store, history, who)
    whose = await customer(store, who)
    done = await erased(store, tmp_path, whose)

    text = await log(postgres_dsn, store)
    assert WORDS[who.value] not in text.replace("as-if", "")
    assert await shown(store, "shop", other) == await shown(store, "as-if", other)
    assert await store.timeline("shop", whose) == []
    assert await rebuilt(postgres_dsn)
    assert await shown(store, "shop", other) == await shown(store, "as-if", other)
    words = "SELECT count(*) FROM interactions i, erased_references r WHERE r.reference = i.id AND r.client_id = i.client_id"
    assert await read(postgres_dsn.owner, words) == [0]
    receipt = read_receipt(orjson.dumps(done["receipt"]), [private_key(SIGNING).public_key()])
    assert receipt["shared"]["interactions"] == 1
    assert {store for store, rows in receipt["rows"].items() if rows["after"]} <= {"events"}
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM erased_parts") == [0]


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
async def test_in_any_order(store: EventStore, postgres_dsn: Dsns, tmp_path: Path, order: tuple[int, ...]) -> None:
    """Whichever came first, and whoever owns it."""
    history = [TIED[2], TIED[3], TWO[1], TWO[2]]
    for at in order:
        await store.append([history[at]])
    await as_if(store, history, ANA)
    await erased(store, tmp_path, await customer(store, ANA))
    assert HIS not in await log(postgres_dsn, store)
    assert await shown(store, "shop", BO) == await shown(store, "as-if", BO)
    assert await rebuilt(postgres_dsn)
