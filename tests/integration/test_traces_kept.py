"""The traces that the store keeps with events and messages, and finds by what a provider reports."""

from datetime import UTC, datetime

import psycopg

from app.sending.incoming import new_message, traced
from app.sending.requests import read_request
from schemas.events import Event, Handle
from sql import EventStore, NewMessage, Reference, Row
from tests.conftest import Dsns
from tests.integration.sender import Sender
from tests.support.keys import SEAL

AT = datetime(2026, 11, 29, tzinfo=UTC)
FIRST, SECOND = (f"00-{digit * 32}-{digit * 16}-01" for digit in "ab")


def delivered(trace: str | None, **payload: str) -> Row:
    """An event of a provider about a message."""
    event = Event("MessageDelivered", "twilio", "f1", channel="sms", provider_message_id="SM1", payload=dict(payload))
    event.trace = trace
    return (event, "default", AT, None)


async def rows(dsns: Dsns, query: str) -> list[tuple[object, ...]]:
    """What the database answers."""
    async with await psycopg.AsyncConnection.connect(dsns.owner) as db:
        return await (await db.execute(query.encode())).fetchall()


async def test_a_repetition_in_another_trace_changes_nothing(postgres_dsn: Dsns) -> None:
    """The event keeps the trace that brought it first; one with other content has its own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        assert (await store.append([delivered(FIRST)])).appended == 1
        assert (await store.append([delivered(SECOND)])).appended == 0
        assert (await store.append([delivered(None)])).appended == 0
        assert (await store.append([delivered(SECOND, status="other")])).appended == 1
    found = await rows(postgres_dsn, "SELECT trace FROM threadline.events ORDER BY position")
    assert found == [(FIRST,), (SECOND,)]


async def test_a_messages_trace_is_found_by_its_names(postgres_dsn: Dsns) -> None:
    """By our id, and by the provider's once an event has both; a message that was not traced has none."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        sender = Sender(store)
        client = await sender.clients.client("default")
        for id, trace in (("m1", FIRST), ("m2", None)):
            document = {"messageId": id, "to": "+15551234567", "channel": "sms", "body": "Hello"}
            message = new_message(read_request(document, client_id="default"), client, AT)
            assert isinstance(message, NewMessage)
            await store.accept([traced(message, trace)])
        sent = Event(
            "UserMessageSent", "threadline", "s1", channel="sms", provider="twilio", provider_message_id="SM1",
            message_id="m1", handle=Handle("phone", "+15551234567"),
        )  # fmt: skip
        await store.append([(sent, "default", AT, None)])
        asked = [
            Reference("default", "twilio", "m2"),
            Reference("default", "twilio", "m1"),
            Reference("default", "twilio", None, "SM1"),
            Reference("default", "twilio", None, "SM2"),
            Reference("other", "twilio", "m1"),
        ]
        found = await store.traces(asked)
    assert sorted((row["place"], row["trace"]) for row in found) == [(1, FIRST), (2, FIRST)]
    assert await rows(postgres_dsn, "SELECT trace FROM threadline.messages ORDER BY message_id") == [(FIRST,), (None,)]
    assert await rows(
        postgres_dsn, "SELECT trace FROM threadline.events WHERE type = 'MessageRequested' ORDER BY message_id"
    ) == [(FIRST,), (None,)]
