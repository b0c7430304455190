"""A request for a message goes all the way: Kafka, worker, the provider's API, its signed webhooks, the customer's timeline."""

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from app.embedded import ports
from app.kafka import client_args
from app.simulator.faults import Faults
from app.simulator.server import Plan
from tests.fixtures import accounts
from tests.support.simulated import simulated
from tests.support.stack import Stack
from tests.support.waiting import eventually

CHANNELS = {
    "resend": ("email", "ana{}@example.com"),
    "twilio": ("sms", "+1555123{:04}"),
    "telegram": ("chat", "telegram:{}"),
}
SENDERS = {"resend": "shop@example.com", "twilio": "+15557654321"}


def provider(name: str, door: str) -> AbstractAsyncContextManager[str]:
    """A simulated provider whose webhooks go to the door, some twice and out of order; gives where its API is."""
    url = f"{door}/webhooks/aggregate/{name}"
    faults = Faults(duplicates=0.2, shuffle=0.5)
    return simulated(name, Plan(to=url, public_url=url, faults=faults, failing=0.1, seed=1))


async def put(stack: Stack, topic: str, documents: list[dict[str, Any]]) -> None:
    """Put requests on Kafka, as a service does."""
    async with AIOKafkaProducer(**client_args(stack.settings.kafka), acks="all") as producer:
        await asyncio.gather(*[await producer.send(topic, orjson.dumps(document)) for document in documents])


async def answered(stack: Stack, query: str, wanted: Any, within: float = 60) -> None:
    """Wait until the query returns the wanted rows."""
    await eventually(lambda: stack.rows(query), lambda found: found == wanted, within)


async def test_requests_on_kafka_become_messages_with_their_whole_story(servers_folder: Path) -> None:
    """A message is sent by the client's configuration or by its topic's channel, a repeat is not sent again, a message
    that cannot be sent has the reason, and the provider's webhooks join the requested message."""
    door = ports.free()
    async with (
        provider("resend", f"http://127.0.0.1:{door}") as resend,
        provider("twilio", f"http://127.0.0.1:{door}") as twilio,
    ):
        sources = {
            name: {**accounts(name).settings, "api_url": url, "sender": SENDERS[name]}
            for name, url in (("resend", resend), ("twilio", twilio))
        }
        sources["twilio"]["url"] = f"http://127.0.0.1:{door}/webhooks/aggregate/twilio"
        stack = Stack(servers_folder / "sending", sources=sources)
        stack.door = door
        async with stack:
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            mails = [
                {
                    "clientId": "default",
                    "messageId": f"mail-{n}",
                    "to": f"ana{n}@example.com",
                    "content": {"subject": "Hello", "text": f"number {n}"},
                }
                for n in range(60)
            ]
            texts = [
                {"clientId": "default", "idempotencyKey": f"sms-{n}", "to": f"+1555123{n:04}", "body": f"number {n}"}
                for n in range(60)
            ]
            await put(stack, "messages.requested", mails + mails[:20])
            await put(stack, "messages.requested.sms", texts + texts[:20])
            await put(stack, "messages.requested.sms", [{"clientId": "default", "messageId": "bad", "to": "nobody"}])
            await put(stack, "messages.requested", [{"clientId": "nobody", "to": "ana@example.com", "body": "x"}])
            await answered(
                stack,
                "SELECT state, count(*) FROM threadline.messages GROUP BY state ORDER BY state",
                [("failed", 1), ("sent", 120)],
            )
            # Each message's own interaction has what the provider's webhooks reported of it.
            await answered(
                stack,
                "SELECT count(*) FROM threadline.interactions WHERE NOT superseded AND message_id IS NOT NULL "
                "AND sent_at IS NOT NULL AND coalesce(delivered_at, bounced_at, failed_at, rejected_at) IS NOT NULL",
                [(120,)],
            )
            await answered(
                stack,
                "SELECT count(*) FROM threadline.interactions WHERE NOT superseded AND direction = 'outbound' "
                "AND message_id IS NULL",
                [(0,)],
            )
            letters = await stack.rows("SELECT reason FROM threadline.dead_letters ORDER BY reason")
            assert [words for (words,) in letters] == [
                "$: needs one of: body, content, template",
                "no client … is configured, and no source belongs to it",  # the general form: the whole reason is sealed
            ]
            reported = await stack.rows(
                "SELECT type, payload ->> 'messageId' FROM threadline.events WHERE type = 'MessageRejected'"
            )
            assert ("MessageRejected", "bad") in reported
