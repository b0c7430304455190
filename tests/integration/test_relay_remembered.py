"""What the relay publishes of what its own process sealed a moment ago is, byte for byte, what any other process opens."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from schemas.events import Error, Event, Handle
from schemas.recorded import write_recorded
from sql import EventStore
from tests.conftest import Dsns
from tests.support.keys import SEAL

START = datetime(2026, 11, 21, tzinfo=UTC)
HANDLES = [Handle("phone", "+15551230001"), Handle("email", "sealed:@example.com"), Handle("other", "x" * 300), None]
VALUES: list[Any] = [
    "", " ", "a\0b", "\0", "a\ud800b", "\udfff", "sealed:", "sealed:AQID", "é" * 9000, "x" * 20_000, "x" * 64, "x" * 65, '"\\u0000',
    "\u2028", "+15551230001", [], {}, [1, None, "\0", "\ud800"], {"b": 1, "a": {"\0": "\ud800"}}, 0, False, True, 1.5, -0.0, None,
]  # fmt: skip


@pytest_asyncio.fixture
async def stores(postgres_dsn: Dsns) -> AsyncIterator[list[EventStore]]:
    """Of two processes."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=4) as first,
        await EventStore.open(postgres_dsn.service, SEAL, pool=4) as second,
    ):
        yield [first, second]


def rows() -> list[Any]:
    """Events with values of every sort, the same for two clients, each text under more than one handle and in more than one place."""
    made: list[Any] = []
    for number, value in enumerate(VALUES):
        for client in ("shop", "other"):
            for place, handle in enumerate(HANDLES):
                text = value if isinstance(value, str) else None
                fields: dict[str, Any] = {
                    "channel": "sms",
                    "handle": handle,
                    "occurred_at": START + timedelta(minutes=number),
                }
                payloads: list[dict[str, Any]] = [
                    {
                        "content": {"text": value, "subject": value, "own": value, f"own{text or ''}": 1},
                        "from": value,
                        "to": value,
                    },
                    {"unlisted": value, "native": value, f"n{text or ''}": value, "from": "+15551230001"},
                    {"content": {"text": "again"}, "from": "+15551230001", "native": {"a": [value]}},
                ]
                for kind, payload in enumerate(payloads):
                    id = f"{number}-{place}-{kind}"
                    error = Error("30003", text, "unreachable") if kind == 1 else None
                    type, towards = ("MessageFailed", "outbound") if kind == 1 else ("MessageReceived", "inbound")
                    event = Event(
                        type,
                        "twilio",
                        id,
                        payload=payload,
                        direction=towards,
                        provider_message_id=f"p{id}",
                        error=error,
                        **fields,
                    )
                    made.append((event, client, START + timedelta(days=1), None))
    return made


async def written(store: EventStore, keep: int = 10_000) -> list[bytes]:
    """Return the log as a store's relay publishes it, once no other one has the lock: the server frees it a moment after its connection
    was closed."""
    for _ in range(100):
        async with store.relay() as relay:
            if relay is not None:
                return [write_recorded(row, 1 << 20) for row in await relay.page((0, 0), keep)]
        await asyncio.sleep(0.1)
    raise AssertionError("the lock is not free")


async def test_from_memory_and_from_the_database(stores: list[EventStore]) -> None:
    """Values of every sort: what is stored with replacements, what is not kept, and what looks like something sealed."""
    first, second = stores
    async with first.relay() as relay:
        assert relay is not None
        given = rows()
        for start in range(0, len(given), 100):
            await first.append(given[start : start + 100])
        kept = len(first._keys.recent)
        page = await relay.page((0, 0), 10_000)
        assert not any(row.get("closed") for row in page)
        remembered = [write_recorded(row, 1 << 20) for row in page]
        again = [write_recorded(row, 1 << 20) for row in await relay.page((0, 0), 10_000)]
    assert kept > 500
    assert len(remembered) == len(given)
    assert remembered == again == await written(second)
    assert b'"payloadomitted"' not in b"".join(remembered)
