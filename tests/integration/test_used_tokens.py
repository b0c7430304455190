"""A signature that covers no body is good for one body: over all doors, workers and restarts, on a real PostgreSQL."""

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import orjson
import pytest

from agents import inbound
from agents.batches import Batch
from agents.health import WorkerHealth
from agents.pipeline import Pipeline
from agents.records.once import AGAIN
from sql import DeadLetter, EventStore
from tests.conftest import Dsns
from tests.support.keys import SEAL
from tests.support.letters import whole_letters
from webhooks.record import Webhook, encode

NOW = datetime.now(UTC)
LATER = NOW + timedelta(hours=8)


@pytest.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database, as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


def use(
    token: bytes, digest: bytes, source: str = "mailgun", until: datetime = LATER
) -> tuple[str, bytes, bytes, datetime]:
    return (source, token, digest, until)


async def test_of_a_token_the_first_use_counts(store: EventStore) -> None:
    """Within a batch and after it; the same again is a redelivery; another source has tokens of its own."""
    assert await store.use_tokens([use(b"t", b"1"), use(b"t", b"2"), use(b"u", b"2"), use(b"t", b"1")]) == [1]
    assert await store.use_tokens([use(b"u", b"1"), use(b"t", b"1"), use(b"t", b"2", source="other")]) == [0]


async def test_of_many_at_once_one_counts(postgres_dsn: Dsns) -> None:
    """Workers that know nothing of each other, each with another body: all but one are refused."""
    stores = [await EventStore.open(postgres_dsn.service, SEAL, pool=2) for _ in range(3)]
    try:
        places = await asyncio.gather(
            *(
                store.use_tokens([use(b"t", bytes([n, m])), use(b"v", b"same")])
                for n, store in enumerate(stores)
                for m in range(4)
            )
        )
    finally:
        await asyncio.gather(*(store.close() for store in stores))
    assert sorted(map(tuple, places)) == [(), *[(0,)] * 11]


async def test_what_has_expired_is_removed_and_nothing_else(store: EventStore, postgres_dsn: Dsns) -> None:
    """In portions; what was read late is remembered for a day from then."""
    old = NOW - timedelta(days=3)
    await store.use_tokens([use(bytes([n]), b"1", until=old) for n in range(5)] + [use(b"new", b"1")])
    assert await store.forget_tokens() == 0
    import psycopg

    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as owner:
        await owner.execute(
            "UPDATE threadline.used_tokens SET seen_until = now() - interval '1 s' WHERE token <> %s", [b"new"]
        )
    assert [await store.forget_tokens(limit=3) for _ in range(3)] == [3, 2, 0]
    assert await store.use_tokens([use(b"new", b"2")]) == [0]


def signed(event: dict[str, Any], token: str = "a" * 50) -> bytes:
    timestamp = str(int(NOW.timestamp()))
    signature = hmac.new(b"key", (timestamp + token).encode(), hashlib.sha256).hexdigest()
    signing = {"timestamp": timestamp, "token": token, "signature": signature}
    return orjson.dumps({"signature": signing, "event-data": event})


def complaint(recipient: str) -> dict[str, Any]:
    message = {"headers": {"message-id": "20130503192659.13651.20287@mg.example.com", "to": recipient}}
    return {
        "event": "complained",
        "id": uuid4().hex,
        "timestamp": NOW.timestamp(),
        "recipient": recipient,
        "message": message,
    }


class Topic:
    """Records as Kafka gives them, one after the other."""

    def __init__(self) -> None:
        self.offset = 0

    def record(self, body: bytes, authentic: bool | None = True) -> Any:
        self.offset += 1
        url, headers = "https://hooks.example.com/webhooks/aggregate", {"content-type": "application/json"}
        hook = Webhook(str(uuid4()), "mailgun", "mailgun", "shop", "POST", url, headers, NOW, authentic, body)
        return SimpleNamespace(
            topic="webhooks.received", partition=0, offset=self.offset, timestamp=0, headers=(), value=encode(hook)
        )


async def test_a_forgery_under_a_token_that_was_used_is_a_dead_letter(store: EventStore) -> None:
    """Through the worker's own path: the first is appended, its redelivery changes nothing, what is forged under its token
    is kept as a dead letter with the reason, opts nobody out, and its neighbours go on; a restart forgets nothing."""
    topic, published = Topic(), list[DeadLetter]()

    async def publish(letter: DeadLetter) -> None:
        published.append(letter)

    async def worked(*records: Any) -> None:
        health = WorkerHealth()  # of a process that has just started
        pipeline = Pipeline(store, publish, health, 100)
        await pipeline._finish(
            Batch(list(records), []), [inbound.prepare(record, health, 1 << 20) for record in records]
        )

    real = signed(complaint("ana@example.com"))
    await worked(topic.record(real), topic.record(signed(complaint("eve@example.com"))), topic.record(real))
    await worked(
        topic.record(signed(complaint("bob@example.com"))),
        topic.record(real),
        topic.record(signed(complaint("cai@example.com"), token="b" * 50)),
        topic.record(
            signed(complaint("dan@example.com")), authentic=None
        ),  # distinguished by its source's accept_unsigned
    )
    found = {handle: bool(await store.customer_of("shop", "email", f"{handle}@example.com")) for handle in NAMES}
    assert found == {"ana": True, "eve": False, "bob": False, "cai": True, "dan": True}
    assert [(letter.offset, letter.reason) for letter in published] == [(2, AGAIN), (4, AGAIN)]
    letters = await whole_letters(store)
    assert sorted(letter["offset"] for letter in letters) == [2, 4]


NAMES = ("ana", "eve", "bob", "cai", "dan")
