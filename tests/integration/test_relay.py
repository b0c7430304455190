"""The relay on real PostgreSQL and Kafka: everything relayed, in order, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import orjson
import psycopg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from agents.telling.relay import Relayer
from app.kafka.producers import producer_args
from app.kafka.topics import max_record
from app.settings import Kafka, Settings
from schemas.cloudevents import read_cloudevent
from schemas.events import Handle
from sql import EventStore
from sql.relay import Place, PlaceLost, RelaySession
from sql.statements import statement
from tests.conftest import Dsns, NewTopicFunction
from tests.integration.callbacks import CLIENT, Office
from tests.integration.serving import ANA, NOON, event
from tests.support.keys import SEAL
from tests.support.relaying import relaying
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def office(postgres_dsn: Dsns, tmp_path: Path) -> AsyncIterator[Office]:
    """The parts that notify clients, on a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store:
        yield Office.of(store, tmp_path)


@pytest_asyncio.fixture
async def topic(new_topic: NewTopicFunction) -> str:
    """Make a topic of the test's own, with several partitions."""
    return await new_topic("events.recorded", partitions=3)


def relayer(office: Office, bootstrap: str, topic: str, **more: Any) -> Relayer:
    """Return a relay of this office to this topic."""
    settings = Settings(data=office.settings.data, kafka=Kafka(bootstrap=bootstrap))
    connect = partial(AIOKafkaProducer, **producer_args(settings))
    most = more.pop("most", max_record(settings))
    return Relayer(office.store, connect, office.callbacks, office.telling, most=most, topic=topic, **more)


async def append(office: Office, *events: Any, client: str = CLIENT) -> None:
    """Append events."""
    await office.store.append([(one, client, NOON, None) for one in events])


async def published(bootstrap: str, topic: str, count: int) -> list[Any]:
    """Return the first `count` records of the topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    records: list[Any] = []
    try:
        async with asyncio.timeout(30):
            while len(records) < count:
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    records += batch
    finally:
        await consumer.stop()
    return records


def names(records: list[Any]) -> list[str]:
    """Return the relayed events by their sources' ids."""
    return [orjson.loads(record.value)["sourceeventid"] for record in records]


async def stopped(task: "asyncio.Task[Any]") -> None:
    """Cancel a task and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def place(dsn: str) -> Place | None:
    """Return the relay's place in the log."""
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        row = await (await db.execute("SELECT xid, position FROM threadline.relay_cursor")).fetchone()
    return row and (row[0], row[1])


async def test_events_are_published_in_order_by_customer(office: Office, topics: str, topic: str) -> None:
    """Each event once, those of a customer in the order of the log and in one partition, as a CloudEvent that says whose
    it is and reads back."""
    sent = [
        event("UserMessageSent", f"SM{n}", n, message_id=f"m{n}", payload={"content": {"text": f"{n}"}})
        for n in range(20)
    ]
    await append(office, *sent)
    # Without an address: its customer is that of its interaction.
    await append(office, *(event("MessageDelivered", f"SM{n}", 30 + n, handle=None) for n in range(20)))
    task = asyncio.create_task(relayer(office, topics, topic).run())
    records = await published(topics, topic, 40)
    await append(office, event("MessageRead", "SM3", 90, handle=None))
    records += (await published(topics, topic, 41))[-1:]
    await stopped(task)
    assert len({record.partition for record in records}) == 1
    assert len({record.offset for record in records}) == 41
    customer = (await office.store.customer_of(CLIENT, ANA.kind, ANA.value))[0]["customer_id"]
    documents = [orjson.loads(record.value) for record in records]
    assert {record.key for record in records} == {str(customer).encode()}
    assert [one["sequence"] for one in documents] == sorted(one["sequence"] for one in documents)
    assert {one["customerid"] for one in documents} == {str(customer)}
    delivered = next(one for one in documents if one["sourceeventid"] == "MessageDelivered SM3")
    assert (delivered["data"]["messageId"], delivered["clientid"]) == ("m3", CLIENT)
    assert dict(records[0].headers)["content-type"] == b"application/cloudevents+json; charset=utf-8"
    read = read_cloudevent(records[0].value, NOON)
    assert (read.client_id, read.event.type, read.event.message_id) == (CLIENT, "UserMessageSent", "m0")
    assert (read.event.payload["content"], read.event.handle) == ({"text": "0"}, ANA)
    assert UUID(read.event.source_event_id) == UUID(documents[0]["id"])


async def test_a_client_whose_configuration_cannot_be_read_holds_up_no_other(
    office: Office, topics: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever error the configuration raises, it is reported as that client's fault, the client's events are relayed,
    and the relay stays healthy."""
    of = office.callbacks.of

    async def broken(client: str) -> dict[str, Any] | None:
        if client == "broken":
            raise KeyError("callback")
        return await of(client)

    monkeypatch.setattr(office.callbacks, "of", broken)
    await append(office, event("UserMessageSent", "SM1", 1, message_id="m1"), client="broken")
    await append(office, event("UserMessageSent", "SM2", 2, message_id="m2"))
    task = asyncio.create_task(relayer(office, topics, topic).run())
    assert sorted(names(await published(topics, topic, 2))) == ["UserMessageSent SM1", "UserMessageSent SM2"]
    await eventually(lambda: _relayed(office), lambda count: count == 2)
    await stopped(task)
    assert "KeyError" in office.health.tenants["broken", "configuration"]
    assert not office.health.failures


async def _relayed(office: Office) -> int:
    return office.telling.relayed


async def test_what_commits_late_is_published_late(office: Office, postgres_dsn: Dsns, topics: str, topic: str) -> None:
    """An event whose transaction took its position first and commits last is not skipped, and waits for nobody else's
    place: those that began after it are held back until it ends."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as slow:
        await slow.execute("SET search_path = threadline")
        await slow.execute(
            "INSERT INTO events (id, type, client_id, source, source_event_id, received_at, payload) "
            "VALUES (gen_random_uuid(), 'MessageReceived', 'shop', 'slow', 'slow', now(), '{}')"
        )
        await append(office, event("MessageReceived", "quick"))
        task = asyncio.create_task(relayer(office, topics, topic).run())
        await eventually(lambda: place(postgres_dsn.owner))
        await asyncio.sleep(0.5)
        before = office.telling.relayed
        await slow.commit()
    records = await published(topics, topic, 2)
    await stopped(task)
    assert before == 0
    assert sorted(names(records)) == ["MessageReceived quick", "slow"]


async def test_a_relay_that_found_nothing_sees_what_comes(
    office: Office, postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an empty page only a look is made, until there is an event; one behind a running transaction is not passed over."""
    ran: list[str] = []
    run = RelaySession._run

    async def noted(self: RelaySession, name: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        ran.append(name)
        return await run(self, name, parameters)

    monkeypatch.setattr(RelaySession, "_run", noted)
    async with relaying(office.store) as relay:
        place = await relay.begin(from_now=True)
        ran.clear()
        for _ in range(3):
            assert await relay.page(place, 10) == []
        assert ran == ["horizon", "relay_page", "relay_behind", "relay_behind"]
        async with await psycopg.AsyncConnection.connect(postgres_dsn.service) as late:
            await late.execute(statement("session"))
            await late.execute(statement("writing"))
            await append(office, event("MessageReceived", "quick"))
            assert await relay.page(place, 10) == []
        (row,) = await relay.page(place, 10)
        assert row["source_event_id"] == "MessageReceived quick"
        place = (row["xid"], row["position"])
        assert await relay.page(place, 10) == await relay.page(place, 10) == []


async def test_a_page_costs_the_same_however_much_there_is(office: Office, postgres_dsn: Dsns) -> None:
    """With thousands of interactions and handles, the plan that a connection keeps reads those of the page alone."""
    ours = [Handle("phone", f"+1444{n:07d}") for n in range(20)]
    await append(office, *(event("MessageReceived", f"m{n}", handle=phone) for n, phone in enumerate(ours)))
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as connection:
        await connection.execute(cast(Any, statement("session")))
        few = await blocks(connection)
        # Some events a person, as in life: then a plan for a tenth of the log reads the handles of all.
        phones = [Handle("phone", f"+1555{n // 20:07d}") for n in range(9000)]
        await append(office, *(event("MessageReceived", f"n{n}", handle=phone) for n, phone in enumerate(phones)))
        await connection.execute("ANALYZE")
        assert await blocks(connection) <= few + 100  # an index is a level deeper


async def blocks(connection: psycopg.AsyncConnection[Any]) -> int:
    """Return how many blocks of 8 KiB the first 20 events of the log cost, by the plan that does not know the page's size."""
    given = {"xid": 0, "position": 0, "horizon": 2**40, "limit": 20}
    text = statement("relay_page").decode()
    for number, name in enumerate(given, 1):
        text = text.replace(f"%({name})s", f"${number}")
    await connection.execute(cast(Any, f"PREPARE page (bigint, bigint, bigint, bigint) AS {text}"))
    run = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE page ({', '.join(map(str, given.values()))})"
    row = await (await connection.execute(cast(Any, run))).fetchone()
    await connection.execute("DEALLOCATE page")
    assert row is not None
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"]) + int(plan["Shared Read Blocks"])


async def test_a_relay_that_dies_after_the_acknowledgement_repeats(
    office: Office, postgres_dsn: Dsns, topics: str, topic: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Kafka has beyond the recorded place is relayed again under the same ids, and nothing is skipped."""
    await append(office, *(event("MessageReceived", f"SM{n}", n) for n in range(5)))

    class Killed(BaseException):
        """Stands for the death of the relay's process."""

    async def killed(*_: Any) -> int:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(RelaySession, "advance", killed)
        with pytest.raises(Killed):
            await relayer(office, topics, topic).run()
    assert await place(postgres_dsn.owner) == (0, 0)
    await append(office, event("MessageReceived", "SM9", 9))
    task = asyncio.create_task(relayer(office, topics, topic).run())
    records = await published(topics, topic, 11)
    await stopped(task)
    ids = [orjson.loads(record.value)["id"] for record in records]
    assert ids[:5] == ids[5:10]
    assert len(set(ids)) == 6


async def test_one_relays_and_another_takes_over(office: Office, postgres_dsn: Dsns, topics: str, topic: str) -> None:
    """Of two workers one relays; when its connection dies, the other continues from its place."""
    first, second = (asyncio.create_task(relayer(office, topics, topic).run()) for _ in range(2))
    await append(office, event("MessageReceived", "SM1"))
    assert names(await published(topics, topic, 1)) == ["MessageReceived SM1"]
    query = (
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 29796 AND objid = 11 AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    async with await psycopg.AsyncConnection.connect(postgres_dsn.service, autocommit=True) as db:
        holders = await (await db.execute(query)).fetchall()
        assert len(holders) == 1
        await db.execute("SELECT pg_terminate_backend(%s)", holders[0])
        await append(office, event("MessageReceived", "SM2", 1))
        records = await published(topics, topic, 2)
        assert len(await (await db.execute(query)).fetchall()) == 1
    assert names(records) == ["MessageReceived SM1", "MessageReceived SM2"]
    done, running = await asyncio.wait([first, second], timeout=0)
    assert len(done) == 1 and isinstance(done.pop().exception(), psycopg.OperationalError)
    await stopped(running.pop())


async def test_a_place_that_was_moved_is_not_moved_back(office: Office) -> None:
    """A relay that lost its lock without noticing neither moves the place nor enqueues deliveries."""
    await append(office, event("MessageReceived", "SM1"), event("MessageReceived", "SM2", 1))
    async with relaying(office.store) as relay:
        start = await relay.begin(from_now=False)
        rows = await relay.page(start, 10)
        upto = (rows[-1]["xid"], rows[-1]["position"])
        await relay.advance(start, upto, [])
        with pytest.raises(PlaceLost):
            await relay.advance(start, upto, [])
        assert await relay.begin(from_now=True) == upto
        assert await relay.page(upto, 10) == []


async def test_a_new_installation_begins_where_the_setting_says(
    office: Office, postgres_dsn: Dsns, topics: str, topic: str
) -> None:
    """`relay.from = "now"` relays nothing of what was before."""
    await append(office, event("MessageReceived", "old"))
    task = asyncio.create_task(relayer(office, topics, topic, from_now=True).run())
    await eventually(lambda: place(postgres_dsn.owner))
    await append(office, event("MessageReceived", "new", 1))
    records = await published(topics, topic, 1)
    await stopped(task)
    assert names(records) == ["MessageReceived new"]


async def test_a_restored_log_is_not_taken_for_a_published_one(office: Office, postgres_dsn: Dsns) -> None:
    """A place beyond the log's end, as after a restore from another server's dump, is an error with that reason."""
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        await db.execute("INSERT INTO threadline.relay_cursor (xid, position) VALUES (1000000000, 7)")
    async with relaying(office.store) as relay:
        with pytest.raises(PlaceLost, match="restored"):
            await relay.begin(from_now=False)


async def test_an_event_too_large_for_kafka_is_published_without_its_payload(
    office: Office, topics: str, topic: str
) -> None:
    """An event that is too large does not stop the relay; the log has it whole."""
    await append(office, event("MessageReceived", "SM1", payload={"content": {"text": "x" * 20_000}}))
    await append(office, event("MessageReceived", "SM2", 1))
    task = asyncio.create_task(relayer(office, topics, topic, most=10_000).run())
    first, second = (orjson.loads(record.value) for record in await published(topics, topic, 2))
    await stopped(task)
    assert first["payloadomitted"] is True and "content" not in first["data"]
    assert first["data"]["providerMessageId"] == "SM1"
    assert "payloadomitted" not in second


async def test_lag_is_what_is_settled_and_not_published(office: Office) -> None:
    """The lag counts events and seconds, and is zero once the place is past the events."""
    await append(office, event("MessageReceived", "SM1"), event("MessageReceived", "SM2", 1))
    assert (await office.store.relay_lag())["events"] == 2
    async with relaying(office.store) as relay:
        start = await relay.begin(from_now=False)
        rows = await relay.page(start, 10)
        await relay.advance(start, (rows[-1]["xid"], rows[-1]["position"]), [])
    lag = await office.store.relay_lag()
    assert (lag["events"], lag["seconds"], lag["disabled"]) == (0, 0.0, 0)
