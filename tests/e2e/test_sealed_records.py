"""What a provider posted is nowhere readable at rest: not in Kafka's segments, the spool, the blobs, the table of raw webhooks, dead
letters. It is read all the same, replayed, and ends with its keys. Real Kafka, PostgreSQL, door and worker."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import orjson
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.kafka import client_args
from sql import EventStore
from sql.sealed_records import is_sealed
from tests.support.keys import SEAL
from tests.support.links import digests
from tests.support.stack import Stack
from tests.support.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")
WITHIN = 60.0
TOPIC = "webhooks.received"
SOURCES = {
    "open": {"adapter": "twilio", "accept_unsigned": True},
    "mail": {"adapter": "postmark", "accept_unsigned": True},
}


class System:
    """The running whole."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.http = httpx.AsyncClient(base_url=stack.url, timeout=60)

    async def text(self, marker: str) -> str:
        """Post a message that says the marker, and expect that it is kept; its id."""
        id = f"SM{uuid4().hex}"
        form = {
            "MessageSid": id,
            "SmsStatus": "received",
            "From": "+15551230001",
            "To": "+15550001111",
            "Body": marker,
        }
        answer = await self.http.post("/webhooks/aggregate/open", data=form)
        assert answer.status_code == 200, answer.text
        return id

    async def mail(self, marker: str) -> str:
        """Post a mail that is kept as a blob; its id."""
        id = uuid4().hex
        mail = {
            "FromFull": {"Email": "ana@example.org", "Name": "Ana"}, "From": "ana@example.org", "To": "in@example.org",
            "Subject": "x", "MessageID": id, "TextBody": marker + " and more of it" * 60_000, "MailboxHash": "",
            "MessageStream": "inbound", "OriginalRecipient": "in@example.org", "Date": "Sat, 28 Nov 2026 10:00:00 +0000",
        }  # fmt: skip
        answer = await self.http.post("/webhooks/aggregate/mail", json=mail)
        assert answer.status_code == 200, answer.text
        return id

    async def bad(self, marker: str) -> None:
        """Put a record on the topic that is refused with a reason that quotes it."""
        await self.put(
            orjson.dumps({"specversion": "1.0", "id": "1", "source": "/s", "type": marker, "data": {}}),
            "events.reported",
        )

    async def put(self, value: bytes, topic: str = TOPIC) -> int:
        """Put a record on a topic's first partition as it is; its offset."""
        async with AIOKafkaProducer(**client_args(self.stack.settings.kafka)) as producer:
            return int((await producer.send_and_wait(topic, value, partition=0)).offset)

    async def latest(self) -> bytes:
        """The last record of the topic."""
        tp = TopicPartition(TOPIC, 0)
        async with AIOKafkaConsumer(**client_args(self.stack.settings.kafka)) as consumer:
            consumer.assign([tp])
            end = (await consumer.end_offsets([tp]))[tp]
            consumer.seek(tp, end - 1)
            return bytes((await asyncio.wait_for(consumer.getone(), WITHIN)).value)

    async def read(self, id: str) -> None:
        """Wait until the log has the event of a message."""
        query = "SELECT id FROM threadline.events WHERE provider_message_id = ANY (%s)"

        async def logged() -> list[Any]:
            return await self.rows(query, list(await digests(self.stack.postgres.dsn("superuser"), [id])))

        await eventually(logged, bool, WITHIN)

    async def letter(self, offset: int, topic: str = TOPIC) -> dict[str, Any]:
        """Wait for the dead letter of a record, and open it."""
        query = 'SELECT id FROM threadline.dead_letters WHERE topic = %s AND "offset" = %s'
        ((id,),) = await eventually(lambda: self.rows(query, topic, offset), bool, WITHIN)
        async with await EventStore.open(self.stack.dsn("service"), SEAL, pool=1) as store:
            row = await store.dead_letter(id)
        assert row is not None
        return row

    async def rows(self, query: str, *given: Any) -> list[Any]:
        """What a query gives."""
        async with await psycopg.AsyncConnection.connect(self.stack.postgres.dsn("superuser"), autocommit=True) as db:
            cursor = await db.execute(query, given or None)
            return await cursor.fetchall() if cursor.description else []

    async def at_rest(self) -> dict[str, bytes]:
        """All that is at rest of raw records, by place."""

        async def dumped(query: str) -> bytes:
            return b"\n".join(bytes(row[0]) for row in await self.rows(query) if row[0] is not None)

        names = "value, sealed_reason, sealed_detail, convert_to(reason, 'UTF8'), convert_to(items::text || coalesce(detail::text, ''), 'UTF8')"
        return {
            "kafka": b"".join(files(self.stack.folder / "kafka", "*.log")),
            "letters": b"".join(files(self.stack.folder / "kafka", "*.dlq-*/*.log")),
            "spool": b"".join(files(self.stack.folder / "spool", "*")),
            "blobs": b"".join(files(self.stack.folder / "blobs", "*")),
            "raw": await dumped("SELECT body FROM threadline.raw_webhooks"),
            "dead": await dumped(f"SELECT unnest(ARRAY[{names}]) FROM threadline.dead_letters"),
        }


def files(folder: Path, pattern: str) -> Iterator[bytes]:
    """The content of all files under a folder."""
    for path in sorted(folder.rglob(pattern)):
        if path.is_file():
            yield path.read_bytes()


def is_in(marker: str, data: bytes) -> bool:
    """Whether a marker is in some bytes, in any form."""
    return any(form in data for form in forms(marker))


def forms(marker: str) -> list[bytes]:
    """A marker in clear, in hexadecimal digits, and in base64 at each of its three alignments, without the edges."""
    plain = marker.encode()
    return [
        plain, plain.hex().encode(), plain.hex().upper().encode(),
        *(b64encode(b"\0" * n + plain)[4:-4] for n in range(3)),
    ]  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(servers_folder: Path) -> AsyncIterator[System]:
    """One system for the tests of this file, in which nothing compresses what is looked for."""
    async with Stack(servers_folder / "sealed", SOURCES, kafka={"partitions": 1}, sealing={"events": True}) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        running = System(stack)
        yield running
        await running.http.aclose()


async def test_a_posted_text_is_nowhere_readable_and_is_read(system: System) -> None:
    """In Kafka's segments, the spool while Kafka is away, a blob, the raw webhooks, a dead letter and its topic; what is looked for is
    found where it is put unsealed, so that the search is one."""
    markers = [f"Marker{uuid4().hex}" for _ in range(3)]
    ids = [await system.text(markers[0]), await system.mail(markers[1])]
    reported = f"Marker{uuid4().hex}"
    await system.bad(reported)
    for id in ids:
        await system.read(id)
    letters = "SELECT id FROM threadline.dead_letters WHERE topic = 'events.reported'"
    await eventually(lambda: system.rows(letters), bool, WITHIN)
    await asyncio.sleep(1)  # its letter on Kafka follows the row
    await system.stack.kafka.stop()
    ids.append(await system.text(markers[2]))
    rest = await system.at_rest()
    assert all(rest.values()) and len(rest["blobs"]) > 800_000, {place: len(data) for place, data in rest.items()}
    assert not {(place, n) for place, data in rest.items() for n, each in enumerate(markers) if is_in(each, data)}
    # A service put this one on Kafka itself, readably; what was made of it is sealed.
    assert {place for place, data in rest.items() if is_in(reported, data)} == {"kafka"}
    await system.stack.kafka.start()
    await system.read(ids[2])


async def test_a_dead_letter_is_read_and_replayed(system: System) -> None:
    """Its record is what was posted, byte for byte, and goes back to Kafka sealed."""
    marker = f"Marker{uuid4().hex}"
    value = b"no head of a webhook, but " + marker.encode()
    letter = await system.letter(await system.put(value))
    assert letter["value"] == value
    async with await EventStore.open(system.stack.dsn("service"), SEAL, pool=1) as store:
        assert await store.replay_dead_letters([letter["id"]], "test")
        outcomes = (
            f"SELECT outcome, became FROM threadline.dead_letters WHERE id = '{letter['id']}' AND outcome IS NOT NULL"
        )
        ((outcome, became),) = await eventually(lambda: system.rows(outcomes), bool, WITHIN)
        again = await store.dead_letter(became)
        sealed = await system.latest()
        await store.keys_for([sealed])
        assert is_sealed(sealed) and store.hours.open(sealed, TOPIC.encode()) == value
    assert outcome == "dead" and again is not None and again["value"] == value and again["replay_of"] == letter["id"]


async def test_what_cannot_be_opened_is_a_dead_letter_and_the_partition_goes_on(system: System) -> None:
    """A record that was changed, one of a key that nobody has, one with a key of its own that is not ours, one whose key was destroyed;
    and one from before, which is not sealed, is read."""
    id = (await system.text("first")).encode()
    sealed = await system.latest()
    assert is_sealed(sealed)
    changed = await system.put(sealed[:-1] + bytes((sealed[-1] ^ 1,)))
    unknown = await system.put(sealed[:6] + bytes(16) + sealed[22:])
    own = await system.put(sealed[:5] + b"\x02" + sealed[6:22] + bytes(68) + sealed[22:])
    reasons = {changed: "was changed since it was sealed", unknown: "does not have", own: "which is not there"}
    for offset, reason in reasons.items():
        letter = await system.letter(offset)
        assert reason in letter["reason"] and letter["value"] is not None
    async with await EventStore.open(system.stack.dsn("service"), SEAL, pool=1) as store:
        await store.keys_for([sealed])
        plain = store.hours.open(sealed, TOPIC.encode())
    await system.put(plain.replace(id, b"SMunsealed"))
    await system.read("SMunsealed")

    ((key,),) = await system.rows("SELECT sealed FROM threadline.hour_keys WHERE id = %s", UUID(bytes=sealed[6:22]))
    change = "UPDATE threadline.hour_keys SET sealed = %s, destroyed_at = %s WHERE id = %s"
    await system.rows(change, None, datetime.now(UTC), UUID(bytes=sealed[6:22]))
    await system.stack.children["work"].stop()  # it would have the key in memory for up to two hours
    await system.stack.start("work")
    letter = await system.letter(await system.put(sealed))
    assert "its key was destroyed on" in letter["reason"] and letter["value"] is None and letter["size"] == 0
    await system.put(plain.replace(id, b"SMlater"))
    await system.read("SMlater")
    assert system.stack.children["work"].alive
    # For the other tests; a process never asks again for a key that was destroyed.
    await system.rows(change, key, None, UUID(bytes=sealed[6:22]))
    await system.stack.children["work"].stop()
    await system.stack.start("work")


async def test_the_door_goes_on_without_the_database(system: System) -> None:
    """Webhooks are kept sealed under the hours' keys while it is away; a door that starts then seals by keys of its own."""
    both = [f"Marker{uuid4().hex}" for _ in range(2)]
    await system.stack.children["serve"].stop()
    await system.stack.start("serve")
    await system.stack.postgres.stop()
    ids = [await system.text(both[0])]
    hourly = await system.latest()
    await system.stack.children["serve"].stop()
    await system.stack.start("serve")
    ids.append(await system.text(both[1]))
    own = await system.latest()
    assert is_sealed(hourly) and is_sealed(own) and (hourly[5], own[5]) == (0, 2)
    assert not any(is_in(marker, data) for marker in both for data in (hourly, own))
    page = (await system.http.get("/metrics")).text
    assert "threadline_records_with_own_key_total 1.0" in page
    await system.stack.postgres.start()
    await system.stack.children["work"].stop()  # so that it does not wait for the database
    await system.stack.start("work")
    for id in ids:
        await system.read(id)
