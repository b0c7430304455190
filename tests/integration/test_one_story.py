"""What a message's timeline and its client's callback show of several tries, channels and reporters: one story."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from adapters.contract import Response
from schemas.events import CHANNELS, Event, Handle
from sql import EventStore, references_of
from tests.conftest import Dsns
from tests.integration.sender import OK, Sender
from tests.support.keys import SEAL
from tests.support.relaying import relaying

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
AWAY = Response(503, {}, b"{}")


@pytest_asyncio.fixture
async def sender(postgres_dsn: Dsns) -> AsyncIterator[Sender]:
    """One on a database of the test's own, whose client has a callback."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store:
        made = Sender(store)
        await made.configure()
        await store.set_callback("default", "https://shop.example/events", [], 8)
        yield made


def of_twilio(type: str, sid: str = "SM1", **fields: Any) -> Event:
    """What Twilio reports of an SMS by its own id."""
    return Event(
        type,
        "twilio",
        f"{sid}:{type}",
        channel="sms",
        direction="outbound",
        provider_message_id=sid,
        payload={"messageId": sid},
        **fields,
    )


def of_resend(type: str) -> Event:
    """What Resend reports of a mail by its own id."""
    return Event(
        type,
        "resend",
        f"re-1:{type}",
        channel="email",
        direction="outbound",
        provider_message_id="re-1",
        handle=Handle("email", "ana@example.com"),
        per_recipient=True,
        payload={"messageId": "re-1"},
    )


async def append(store: EventStore, *events: Event) -> None:
    """Append what a provider reported; failures are looked at, as the agents do."""
    await store.append([(one, "default", datetime.now(UTC), None) for one in events])
    await store.recheck_watched([reference for one in events for reference in references_of(one, "default")])


async def relay(store: EventStore) -> None:
    """Relay all that there is."""
    async with relaying(store) as relay:
        place = await relay.begin(from_now=False)
        while page := await relay.page(place, 3):
            upto = (page[-1]["xid"], page[-1]["position"])
            await relay.advance(place, upto, ["default"])
            place = upto


async def delivered_events(store: EventStore) -> list[tuple[str, str]]:
    """What the callback gets, in the order of the log: the type, and the source that reported it."""
    rows = []
    for row in await store.deliveries("default", None, 100):
        (event,) = [
            one
            for one in await store.history("default", (await shown(store, row["message_id"]))["id"])
            if one["id"] == row["event_id"]
        ]
        rows.append((event["position"], row["type"], event["source"]))
    return [(type, source) for _, type, source in sorted(rows)]


async def shown(store: EventStore, id: str = "m") -> dict[str, Any]:
    """The message's interaction."""
    row = await store.message("default", id)
    found = await store.interaction("default", row["interaction_id"]) if row else None
    assert found is not None
    return found


async def test_our_own_tries_are_no_delay_of_what_was_sent(sender: Sender) -> None:
    """After 503, 503 and an answer the timeline says `sent`; what its provider puts off after that is delayed."""
    sender.provider.answer = lambda name, number: AWAY if number < 3 else OK[name]
    async with sender.at_work():
        await sender.ask(channel="sms")
        await sender.until("sent")
    found = await shown(sender.store)
    assert (found["delivery"], {"delayed", "sent"} <= set(found["facts"])) == ("sent", True)
    await append(sender.store, of_twilio("MessageDelayed"))
    assert (await shown(sender.store))["delivery"] == "delayed"


@pytest.mark.parametrize("first", [True, False], ids=["the provider first", "we first"])
async def test_one_sent_event_is_published_of_a_message(sender: Sender, first: bool) -> None:
    """That it was sent is delivered once, though both we and the provider report it, in whichever order that is
    recorded."""
    if first:
        await append(sender.store, of_twilio("UserMessageSent"))
        await relay(sender.store)
    async with sender.at_work():
        await sender.ask(channel="sms")
        await sender.until("sent")
    if not first:
        await append(sender.store, of_twilio("UserMessageSent"))
    await append(sender.store, of_twilio("MessageDelivered"), of_twilio("MessageClicked"))
    await append(
        sender.store,
        Event("MessageClicked", "twilio", "again", channel="sms", direction="outbound", provider_message_id="SM1"),
    )
    await relay(sender.store)
    types = [type for type, _ in await delivered_events(sender.store)]
    assert types.count("UserMessageSent") == 1
    assert sorted(types) == [
        "MessageClicked",
        "MessageClicked",
        "MessageDelivered",
        "MessageRequested",
        "UserMessageSent",
    ]


async def test_a_fallback_is_no_contradiction(sender: Sender) -> None:
    """That the mail bounced is not the message's failure where the SMS follows: neither callback nor timeline call it
    failed, delivered by SMS is no contradiction, and the attempts are numbered one after another."""
    async with sender.at_work():
        await sender.ask(fallback=True)
        await sender.until("watched")
        await append(sender.store, of_resend("MessageBounced"))
        await relay(sender.store)
        row = await sender.until("sent")
        assert (await shown(sender.store))["delivery"] == "sent"
        await append(sender.store, of_twilio("MessageDelivered"))
    await relay(sender.store)
    found = await shown(sender.store)
    assert (found["delivery"], found["status"], found["contradiction"]) == ("delivered", "completed", False)
    assert [attempt["number"] for attempt in row["attempts"]] == [1, 2]
    types = [type for type, _ in await delivered_events(sender.store)]
    assert types == ["MessageRequested", "UserMessageSent", "MessageDelayed", "UserMessageSent", "MessageDelivered"]


async def test_the_last_channel_s_failure_is_the_message_s(sender: Sender) -> None:
    """If no channel follows, the failure is delivered, and so is a contradiction within one attempt."""
    async with sender.at_work():
        await sender.ask(fallback=True)
        await sender.until("watched")
        await append(sender.store, of_resend("MessageBounced"))
        await sender.until("sent")
        await append(sender.store, of_twilio("MessageFailed"))
    await relay(sender.store)
    found = await shown(sender.store)
    assert (found["delivery"], found["status"], found["contradiction"]) == ("bounced", "completed", False)
    assert [type for type, _ in await delivered_events(sender.store)][-1] == "MessageFailed"
    await append(sender.store, of_twilio("MessageDelivered"))
    assert (await shown(sender.store))["contradiction"] is True


async def test_a_status_recorded_long_before_its_link_is_reported(sender: Sender, postgres_dsn: Dsns) -> None:
    """However long before: what came three days, or forty, before anyone knew which message it was of is owed when that
    is known, and is not deleted before it was delivered."""
    await append(sender.store, of_twilio("MessageDelivered"), of_twilio("MessageRead", "SM2"))
    await relay(sender.store)
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        await db.execute("UPDATE threadline.events SET recorded_at = now() - interval '3 days'")
        await db.execute(
            "UPDATE threadline.events SET recorded_at = now() - interval '40 days' WHERE type = 'MessageRead'"
        )
    both = [
        Event(
            "UserMessageSent",
            "crm",
            sid,
            channel="sms",
            direction="outbound",
            provider_message_id=sid,
            message_id=f"m-{sid}",
            provider="twilio",
        )
        for sid in ("SM1", "SM2")
    ]
    await sender.store.append([(one, "default", NOON, None) for one in both])
    await relay(sender.store)
    await sender.store.forget_deliveries(timedelta(days=30))
    rows = await sender.store.deliveries("default", None, 10)
    assert sorted((row["message_id"], row["type"]) for row in rows) == [
        ("m-SM1", "MessageDelivered"),
        ("m-SM1", "UserMessageSent"),
        ("m-SM2", "MessageRead"),
        ("m-SM2", "UserMessageSent"),
    ]


async def test_each_channel_is_distinguished(postgres_dsn: Dsns) -> None:
    """Every channel that there is has a bit of its own in the sets of channels, and what is none has another."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as db:
        row = await (
            await db.execute(
                "SELECT array_agg(threadline.channel_bit(c)) FROM unnest(%s::text[]) AS c", ([*CHANNELS, "x", None],)
            )
        ).fetchone()
    assert row is not None
    bits = row[0]
    assert len(set(bits[:-1])) == len(CHANNELS) + 1
    assert bits[-1] == bits[-2]
    assert all(bit.bit_count() == 1 for bit in bits)


async def test_the_same_person_hears_one_story_whatever_the_order(sender: Sender) -> None:
    """Whatever order the facts of a message with a fall-back come in, what they come to is the same."""
    rows = [
        (of_resend("MessageBounced"), "default", NOON, None),
        (
            Event(
                "MessageDelayed", "threadline", "m:delayed:2", channel="email", direction="outbound", message_id="m",
                payload={"messageId": "m", "givenUpFor": "sms"},
            ), "default", NOON, None,
        ),
        (Event("UserMessageSent", "threadline", "m:sent:1", channel="email", direction="outbound", provider_message_id="re-1", message_id="m", provider="resend", handle=Handle("email", "ana@example.com"), per_recipient=True), "default", NOON, None),
        (Event("UserMessageSent", "threadline", "m:sent:3", channel="sms", direction="outbound", provider_message_id="SM1", message_id="m", provider="twilio", handle=Handle("phone", "+15551234567")), "default", NOON, None),
        (of_twilio("MessageDelayed"), "default", NOON, None),
    ]  # fmt: skip
    for row in reversed(rows):
        await sender.store.append([row])
    async with sender.store._pool.connection() as connection:
        found = await (
            await connection.execute("SELECT delivery, contradiction FROM interactions WHERE NOT superseded")
        ).fetchall()
    assert found == [{"delivery": "delayed", "contradiction": False}]
