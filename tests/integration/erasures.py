"""A customer to be erased, with something in every store, and what is left of him."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from pydantic import SecretStr

from app.auditing.anchors import new_key
from app.erasing.needles import needles_of
from app.erasing.searching import Found, search_database
from app.erasing.steps import Eraser
from app.settings import Audit, Settings
from app.settings.erasing import Erasure
from schemas.events import Error, Event, Handle
from sql import DeadLetter, EventStore, NewMessage, Row
from tests.conftest import Dsns
from tests.integration.test_sending_store import asked, lane, new
from tests.support.keys import KEY

ANA, BO = Handle("phone", "+15551230001"), Handle("phone", "+15551230002")
ANA_MAIL = Handle("email", "ana.erased@example.com")
WORDS = "my secret is Krautkopf"
START = datetime(2026, 11, 21, tzinfo=UTC)
SIGNING = new_key()


def settings(folder: Path, **more: Any) -> Settings:
    """Settings with a key that signs, and a ledger."""
    return Settings(
        data=folder,
        audit=Audit(key=SecretStr(SIGNING)),
        erasure=Erasure(ledger=folder / "ledger"),
        secrets={"keys": [KEY]},  # type: ignore[arg-type]
        **more,
    )


def said(number: int, handle: Handle | None, type: str = "MessageReceived", client: str = "shop", **more: Any) -> Row:
    """An event of a message with the provider's id `pN`."""
    fields: dict[str, Any] = {
        "channel": "sms",
        "direction": "inbound" if type == "MessageReceived" else "outbound",
        "provider_message_id": f"p{number}",
        "handle": handle,
        "payload": {"content": {"text": WORDS}} if type == "MessageReceived" else {},
        "occurred_at": START + timedelta(minutes=number),
    }
    source = more.pop("source", "twilio")
    return (Event(type, source, f"{type}-{number}", **(fields | more)), client, START + timedelta(days=1), None)


async def filled(store: EventStore) -> UUID:
    """Append what Ana and Bo said and were sent; return Ana's customer id."""
    link = {"handles": [{"kind": each.kind, "value": each.value} for each in (ANA, ANA_MAIL)]}
    rows = [said(n, ANA) for n in range(1, 6)] + [said(n, BO) for n in range(11, 14)]
    rows += [said(n, ANA, client="other") for n in range(1, 3)]
    rows.append((Event("HandleLinked", "twilio", "link", payload=link), "shop", START, None))
    # WhatsApp's ids have the number in them, in base64.
    wamid = "wamid." + base64.b64encode(f"\x1c\x18\x0c{ANA.value[1:]}\x15".encode()).decode()
    rows.append(said(7, ANA, channel="whatsapp", provider_message_id=wamid))
    rows.append(said(8, None, "MessageFailed", provider_message_id=wamid, payload={"providerMessageId": wamid}))
    # A report without an address, whose error quotes it.
    error = Error("30003", f"{ANA.value} is unreachable", "unreachable")
    rows.append(said(2, None, "MessageFailed", error=error))
    rows.append(said(20, ANA_MAIL, "RecipientUnsubscribed", channel="email", provider_message_id=None))
    await store.append(rows, dead=[letter(1, ANA), letter(2, BO)])
    await store.accept([asked_for("m1", ANA), asked_for("m2", BO)])
    await store.append([said(9, ANA, "UserMessageSent", message_id="m1"), said(9, ANA, "MessageDelivered")])
    return await customer(store, ANA)


def asked_for(id: str, handle: Handle, **more: Any) -> NewMessage:
    """A request for an SMS to a handle, as the store takes it."""
    request = asked(messageId=id, to=handle.value, body=WORDS)
    made = new(request, **{"lane": lane(), **more})
    event = replace(made.event, handle=handle, payload={"messageId": id, "content": {"text": WORDS}})
    return made._replace(event=event, handles=[("sms", handle)])


def letter(offset: int, handle: Handle) -> DeadLetter:
    """A dead letter that names a handle."""
    value = json.dumps({"from": handle.value, "text": WORDS}).encode()
    return DeadLetter("webhooks.received", 0, offset, "cannot be read", client="shop", value=value, size=len(value))


async def customer(store: EventStore, handle: Handle, client: str = "shop") -> UUID:
    """Return the customer of a handle."""
    found: UUID = (await store.customer_of(client, handle.kind, handle.value))[0]["customer_id"]
    return found


async def erased(store: EventStore, folder: Path, whose: UUID) -> dict[str, Any]:
    """Erase a customer; return the erasure."""
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None
    return await Eraser(store, settings(folder)).run(id)


async def places(dsns: Dsns, *values: str) -> dict[str, set[str]]:
    """Return where forms of these texts stand in the database."""
    found = Found({form: name for value in values for form, name in needles_of(value).items()})
    assert await search_database(dsns.owner, found) == []
    assert len(found.searched) > 30 and found.bytes
    return found.places


async def read(dsn: str, query: str) -> list[Any]:
    """The first column of a query."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute("SET search_path = threadline")
        return [row[0] for row in await (await db.execute(query)).fetchall()]
