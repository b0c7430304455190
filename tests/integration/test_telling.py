"""The worker's relay and deliveries together, as `python -m agents` starts them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from aiokafka import AIOKafkaConsumer
from pydantic import SecretStr

from agents.failures import keep_on
from agents.health import WorkerHealth
from agents.process.parts import notify
from app.clients.configured import Clients
from app.settings import Callbacks, Kafka, Relay, Secrets, Settings
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.callbacks import LOOPBACK, Office, Receiver, receiving
from tests.integration.serving import NOON, event
from tests.support.keys import KEY, SEAL
from tests.support.waiting import eventually


def settings_of(data: Path, bootstrap: str) -> Settings:
    """Those of a worker that may post to this machine."""
    return Settings(
        data=data,
        kafka=Kafka(bootstrap=bootstrap),
        secrets=Secrets(keys=[SecretStr(KEY)]),
        callbacks=Callbacks(allowed_networks=list(LOOPBACK), http_hosts=["127.0.0.1"]),
    )


@asynccontextmanager
async def telling(store: EventStore, health: WorkerHealth, settings: Settings) -> AsyncIterator[None]:
    """Relay and deliverer, at work."""
    task = asyncio.create_task(notify(store, Clients(store, settings), health, settings))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_an_event_reaches_kafka_and_the_client(postgres_dsn: Dsns, topics: str, tmp_path: Path) -> None:
    """From the log to `events.recorded` and to the callback, under one id."""
    client, health = f"shop-{uuid4().hex}", WorkerHealth()
    consumer = AIOKafkaConsumer("events.recorded", bootstrap_servers=topics, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with (
            await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store,
            receiving(Receiver()) as receiver,
        ):
            settings = settings_of(tmp_path, topics)
            await Office.of(store, tmp_path).configure(receiver.url, client=client)
            async with telling(store, health, settings):
                await store.append([(event("UserMessageSent", "SM1", message_id="m1"), client, NOON, None)])
                (posted,) = await receiver.until(1)
                async with asyncio.timeout(30):
                    async for record in consumer:
                        # The topic is shared, and others put on it what is no event.
                        if client.encode() in record.value:
                            break
    finally:
        await consumer.stop()
    assert orjson.loads(record.value)["id"] == posted.headers["webhook-id"]
    assert orjson.loads(record.value)["interactionid"] == posted.json["data"]["interactionId"]


async def test_without_kafka_it_goes_on_trying(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The health page says that the relay fails; nothing is enqueued that was not published, and nothing ends."""
    health = WorkerHealth()
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=6) as store:
        async with telling(store, health, settings_of(tmp_path, "127.0.0.1:1")):
            await store.append([(event("UserMessageSent", "SM1", message_id="m1"), "shop", NOON, None)])

            async def failing() -> bool:
                return "relay" in health.failures

            assert await eventually(failing)
            assert (await store.relay_lag())["events"] == 1


async def test_work_that_fails_begins_again() -> None:
    """Whatever it raises, and its failure shows meanwhile."""
    health, begun, again = WorkerHealth(), 0, asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise ValueError("broken")
        again.set()
        await asyncio.sleep(60)

    task = asyncio.create_task(keep_on("work", work, health))
    await asyncio.wait_for(again.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert health.failures == {"work": "ValueError: broken"}


def test_the_relay_begins_at_the_beginning_unless_set_otherwise() -> None:
    """`relay.from` is the setting's name."""
    assert Relay().start == "beginning"
    assert Relay.model_validate({"from": "now"}).start == "now"
