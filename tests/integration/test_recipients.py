"""Different people never share an interaction: one provider id for several recipients, and an id of ours that a sender
copied to another message."""

import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import orjson
import pytest
import pytest_asyncio

from adapters import interpret
from adapters.contract import Request
from agents.inbound import of_account
from app.clients.configured import Client
from app.sending.events import sent
from app.sending.incoming import new_message
from app.sending.requests import read_request
from schemas.events import Event, Handle
from sql import EventStore, NewMessage, Row
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.sender import Sender
from tests.support.keys import SEAL

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
ANA, BEN = Handle("email", "ana@example.com"), Handle("email", "ben@example.com")


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store on a database of the test's own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as made:
        yield made


def reported(type: str, to: Handle | None, id: str = "job-1", **fields: Any) -> Event:
    """Return an event of a mail, as an adapter whose ids are those of jobs makes it."""
    fact = f"{type}:{id}:{to.value if to else ''}:{fields.get('echoed_message_id')}"
    given: dict[str, Any] = {"channel": "email", "direction": "outbound", "per_recipient": True} | fields
    return Event(type, "postmark", fact, provider_message_id=id, handle=to, **given)


def rows(*events: Event) -> list[Row]:
    return [(event, "default", NOON + timedelta(seconds=number), None) for number, event in enumerate(events)]


async def timeline(store: EventStore, handle: Handle) -> list[dict[str, Any]]:
    """Return the interactions of the customer who has this handle."""
    known = await store.customer_of("default", handle.kind, handle.value)
    return (await store.timeline("default", known[0]["customer_id"])) if known else []


async def test_each_recipient_of_a_job_has_an_interaction(store: EventStore, postgres_dsn: Dsns) -> None:
    """In any order and any batches: what became of one mail is not what became of the other; rebuilt, it is the same."""
    events = [
        reported("UserMessageSent", ANA), reported("UserMessageSent", BEN),
        reported("MessageDelivered", ANA), reported("MessageBounced", BEN), reported("MessageComplained", ANA),
    ]  # fmt: skip
    shuffled = rows(*events, *events[:2])
    random.Random(7).shuffle(shuffled)
    for start in range(0, len(shuffled), 3):
        await store.append(shuffled[start : start + 3])
    for _ in range(2):
        (ana,), (ben,) = await timeline(store, ANA), await timeline(store, BEN)
        assert (ana["delivery"], ben["delivery"]) == ("delivered", "bounced")
        assert ana["id"] != ben["id"] and "complained" in ana["facts"] and "complained" not in ben["facts"]
        assert (ana["provider_message_id"], ben["provider_message_id"]) == ("job-1", "job-1")
        await rebuild(postgres_dsn.owner)


async def test_a_report_that_names_no_recipient_is_nobodys(store: EventStore) -> None:
    """It is kept, and changes neither recipient's message."""
    await store.append(
        rows(reported("UserMessageSent", ANA), reported("UserMessageSent", BEN), reported("MessageOpened", None))
    )
    assert ["opened" in one["facts"] for one in await timeline(store, ANA) + await timeline(store, BEN)] == [
        False,
        False,
    ]


async def accepted(store: EventStore, id: str, to: Handle) -> Any:
    """Accept a request for an e-mail; return it."""
    sender = Sender(store)
    await sender.configure()
    document = {"messageId": id, "to": {"email": to.value}, "content": {"subject": "s", "text": "t"}}
    request = read_request(document, client_id="default")
    client: Client = await sender.clients.client("default")
    message = new_message(request, client, NOON)
    assert isinstance(message, NewMessage)
    await store.accept([message])
    return request


@pytest.mark.parametrize("order", list(permutations(range(4))))
async def test_our_id_on_another_recipients_mail_joins_nothing(store: EventStore, order: tuple[int, ...]) -> None:
    """A sender copied the mail with its metadata to somebody else: our message keeps its own story, in any order."""
    request = await accepted(store, "m-1", ANA)
    ours = sent(request, "email", ANA, "postmark", "job-1", 1, job_ids=frozenset({"email"}))
    events = [
        ours,
        reported("MessageDelivered", ANA, echoed_message_id="m-1"),
        reported("MessageBounced", BEN, "job-2", echoed_message_id="m-1"),
        reported("MessageComplained", BEN, "job-1", echoed_message_id="m-1"),
    ]
    for place in order:
        await store.append(rows(events[place]))
    (ana,) = await timeline(store, ANA)
    assert (ana["delivery"], ana["message_id"]) == ("delivered", "m-1") and "complained" not in ana["facts"]
    bens = await timeline(store, BEN)
    assert sorted((one["delivery"], one["message_id"]) for one in bens) == [("bounced", None), ("delivered", None)]
    row = await store.message("default", "m-1")
    assert row is not None and row["delivery"] == "delivered"


async def test_our_id_joins_where_the_response_was_lost(store: EventStore) -> None:
    """The webhook alone says which message of ours the provider's id is; an address of another kind does not contradict."""
    await accepted(store, "m-1", ANA)
    await store.append(rows(reported("MessageDelivered", ANA, echoed_message_id="m-1")))
    row = await store.message("default", "m-1")
    assert row is not None and row["delivery"] == "delivered"
    await accepted(store, "m-2", BEN)
    token = reported("MessageRead", Handle("device_token", "d-1"), "push-1", echoed_message_id="m-2", channel=None)
    await store.append(rows(replace(token, per_recipient=False)))
    row = await store.message("default", "m-2")
    assert row is not None and row["delivery"] == "delivered"


async def test_an_id_that_we_never_made_is_not_ours(store: EventStore) -> None:
    """Two mails with one such id stay two."""
    events = [reported("MessageDelivered", to, f"job-{n}", echoed_message_id="m-9") for n, to in enumerate((ANA, BEN))]
    await store.append(rows(*events))
    (ana,), (ben,) = await timeline(store, ANA), await timeline(store, BEN)
    assert ana["id"] != ben["id"] and ana["message_id"] is ben["message_id"] is None


async def test_our_id_on_a_message_of_another_channel_is_not_ours(store: EventStore) -> None:
    """An SMS with the id of an e-mail; and an event of another job that names no recipient."""
    await accepted(store, "m-1", ANA)
    text = Event(
        "MessageFailed", "twilio", "sms", channel="sms", direction="outbound", provider_message_id="SM77",
        handle=Handle("phone", "+15550000002"), echoed_message_id="m-1",
    )  # fmt: skip
    await store.append(rows(text, reported("MessageOpened", None, "job-2", echoed_message_id="m-1")))
    row = await store.message("default", "m-1")
    assert row is not None and row["delivery"] == "requested"


def envelope(type: str, to: Handle, source: str) -> Event:
    """Return the event of a relay's envelope with a single id."""
    data = {"messageId": "job-9", "channel": "email", "to": to.value}
    body = orjson.dumps({"source": source, "eventType": type, "data": data})
    (event,) = interpret(Request("POST", "https://hooks.example.org/", {}, body, NOON, "envelope"), "envelope").events
    return of_account(event, {}, {})


@pytest.mark.parametrize("source", ["postmark", "sendgrid"])
async def test_a_relays_single_id_of_a_job_is_a_message_for_each_recipient(store: EventStore, source: str) -> None:
    """Also where the source is not configured: the provider of that name has ids of jobs."""
    events = [envelope("message.delivered", ANA, source), envelope("message.bounced", BEN, source)]
    await store.append(rows(*events, envelope("message.complained", BEN, source)))
    (ana,), (ben,) = await timeline(store, ANA), await timeline(store, BEN)
    assert (ana["delivery"], ben["delivery"]) == ("delivered", "bounced")
    assert "complained" not in ana["facts"]
