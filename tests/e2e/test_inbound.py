"""From the provider's POST to the customer's timeline: real HTTP, Kafka, worker and PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from app.kafka import client_args
from sql import EventStore
from tests.support import traffic
from tests.support.collector import Collector, collecting
from tests.support.keys import SEAL
from tests.support.links import digests
from tests.support.stack import Stack
from tests.support.waiting import eventually


class System:
    """The running whole, with a key to read and to relay."""

    def __init__(self, stack: Stack, token: str, collector: Collector) -> None:
        self.stack, self.collector = stack, collector
        self.http = httpx.AsyncClient(base_url=stack.url, timeout=20)
        self.key = {"authorization": f"Bearer {token}"}

    async def post(self, post: traffic.Post) -> httpx.Response:
        return await self.http.post("/webhooks/aggregate", content=post.body, headers=post.headers)

    async def report(self, *values: bytes, topic: str = "events.reported") -> None:
        producer = AIOKafkaProducer(**client_args(self.stack.settings.kafka))
        await producer.start()
        for value in values:
            await producer.send_and_wait(topic, value)
        await producer.stop()

    async def timeline(self, handle: str) -> list[dict[str, Any]]:
        found = await self.http.get("/api/customers", params={"handle": handle}, headers=self.key)
        if found.status_code == 404:
            return []
        customer = found.raise_for_status().json()["customerId"]
        page = await self.http.get(f"/api/customers/{customer}/interactions", headers=self.key)
        interactions: list[dict[str, Any]] = page.raise_for_status().json()["interactions"]
        return interactions


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(servers_folder: Path) -> AsyncIterator[System]:
    """One system for the tests of this file; each uses handles of its own."""
    async with collecting() as collector:
        telemetry = {"sample": 1.0, "otlp_endpoint": collector.url}
        async with Stack(servers_folder / "inbound", telemetry=telemetry, door={"max_body": 200_000}) as stack:
            token = await stack.key("timeline:read", "personal:read", "webhooks:write")
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            running = System(stack, token, collector)
            yield running
            await running.http.aclose()


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_story_in_any_order_and_twice(system: System) -> None:
    """Statuses that come backwards and twice make one interaction, delivered; the log has each fact once."""
    form = {"AccountSid": "AC1", "From": "+18005550199", "To": "+15557000001", "MessageSid": "SM" + "a" * 32}
    reported = [
        traffic.twilio({**form, "MessageStatus": status}) for status in ("delivered", "sent", "delivered", "queued")
    ]
    for answer in [await system.post(post) for post in reported]:
        assert answer.status_code == 200
    (interaction,) = await eventually(
        lambda: system.timeline("+15557000001"), lambda page: bool(page) and len(page[0]["facts"]) == 3
    )

    assert (interaction["delivery"], interaction["status"], interaction["direction"]) == (
        "delivered",
        "completed",
        "outbound",
    )
    assert interaction["providerMessageId"] == form["MessageSid"]

    detail = (await system.http.get(f"/api/interactions/{interaction['interactionId']}", headers=system.key)).json()

    assert sorted(event["type"] for event in detail["events"]) == [
        "MessageDelivered",
        "MessageQueued",
        "UserMessageSent",
    ]


async def test_an_orphan_status_attaches_when_its_send_is_reported(system: System) -> None:
    """A status whose customer is not known yet waits, and belongs to the customer once an event names the handle."""
    form = {"AccountSid": "AC1", "From": "+18005550199", "To": "+15557000002", "MessageSid": "SM" + "b" * 32}
    await system.post(traffic.twilio({**form, "MessageStatus": "delivered"}))
    await eventually(lambda: system.timeline("+15557000002"), bool)
    data = {
        "userId": "user-b", "channel": "sms", "messageId": "m-b", "provider": "twilio",
        "providerMessageId": form["MessageSid"], "content": {"text": "Your table is ready"},
    }  # fmt: skip
    reported = {"specversion": "1.0", "id": "b1", "source": "/bookings", "type": "message.sent", "data": data}
    await system.report(orjson.dumps(reported))
    (interaction,) = await eventually(lambda: system.timeline("user_id:user-b"), bool)

    assert interaction["messageId"] == "m-b"
    assert interaction["content"]["text"] == "Your table is ready"
    assert {"MessageDelivered", "UserMessageSent"} <= interaction["facts"].keys()
    assert await system.timeline("+15557000002") == []


async def test_the_envelope_of_a_trusted_relay(system: System) -> None:
    """With a key's scope it is kept, and its data's unknown keys too; without one it is refused."""
    body = orjson.dumps(
        {
            "source": "twilio", "eventType": "message.received", "id": "env-1",
            "data": {"messageId": "SMenv", "channel": "sms", "from": "+15557000003", "content": {"text": "hi"}, "mood": "fine"},
        }
    )  # fmt: skip
    json = {"content-type": "application/json"}
    refused = await system.http.post("/webhooks/aggregate", content=body, headers=json)
    kept = await system.http.post("/webhooks/aggregate", content=body, headers={**json, **system.key})

    assert refused.status_code == 401
    assert kept.status_code == 202

    (interaction,) = await eventually(lambda: system.timeline("+15557000003"), bool)
    detail = (await system.http.get(f"/api/interactions/{interaction['interactionId']}", headers=system.key)).json()

    assert detail["events"][0]["payload"]["mood"] == "fine"


async def test_bad_input_is_answered_or_a_dead_letter_and_harms_nobody(system: System) -> None:
    """Garbage of every kind gets a clear answer or a dead letter; what is good beside it goes through."""
    (before,) = (await system.stack.rows("SELECT count(*) FROM threadline.dead_letters"))[0]
    meta = {"display_phone_number": "1", "phone_number_id": "1"}

    def status(**fields: Any) -> traffic.Post:
        item = {"id": "wamid.x", "status": "read", "timestamp": "1795000000", "recipient_id": "15557000004", **fields}
        return traffic.whatsapp({"metadata": meta, "statuses": [item]})

    signed = {
        "1970": status(id="wamid.1970", timestamp="0"),
        "2100": status(id="wamid.2100", timestamp="4102444800"),
        "nul": status(id="wamid.nul\x00", errors=[{"code": 1, "title": "a\x00b"}], status="failed"),
        "huge number": status(id="wamid.huge", timestamp="9" * 400, pricing={"cost": 10**18}),
        "no id": traffic.whatsapp({"metadata": meta, "statuses": [{"status": "read"}]}),
        "wrong types": traffic.whatsapp({"metadata": [], "statuses": {"a": 1}}),
        "surrogates": traffic.twilio({"MessageSid": "SM" + "c" * 32, "From": "+15557000004", "To": "+1", "Body": "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace")}),
        "no sid": traffic.twilio({"Body": "x"}),
    }  # fmt: skip
    for name, post in signed.items():
        assert (await system.post(post)).status_code == 200, name
    unsigned = {
        400: [b"\x00\xff\xfe garbage", b""],
        401: [orjson.dumps({"source": "twilio", "eventType": "x", "data": {}})],
        413: [b"x" * 300_000],
    }
    for bodies in unsigned.values():
        for body in bodies:
            answer = await system.http.post(
                "/webhooks/aggregate", content=body, headers={"content-type": "application/json"}
            )
            assert 400 <= answer.status_code < 500
            assert answer.headers["content-type"] == "application/problem+json"
    await system.report(b"\xff\xfe", b"", b"{}\n", b'{"id":1}\n{}', topic="webhooks.received")
    deep = (
        b'{"specversion":"1.0","id":"d","source":"/x","type":"message.received","data":'
        + b'{"a":' * 500
        + b"1"
        + b"}" * 501
    )
    await system.report(b"not json", b"\xff", deep, orjson.dumps({"specversion": "1.0"}))
    await system.post(status(id="wamid.good", recipient_id="15557000005"))
    (good,) = await eventually(lambda: system.timeline("+15557000005"), bool)

    assert good["delivery"] == "delivered"

    async def dead() -> int:
        count = (await system.stack.rows("SELECT count(*) FROM threadline.dead_letters"))[0][0]
        return int(count - before)

    await eventually(dead, lambda count: count >= 8)
    reasons = [
        row[0]
        for row in await system.stack.rows("SELECT reason FROM threadline.dead_letters WHERE topic = 'events.reported'")
    ]

    assert any("$.id" in reason for reason in reasons)
    assert {interaction["providerMessageId"] for interaction in await system.timeline("+15557000004")} >= {
        "wamid.1970", "wamid.2100", "wamid.nul\ufffd", "wamid.huge",
    }  # fmt: skip
    assert system.stack.children["work"].alive


async def test_an_event_points_to_the_raw_webhook_it_came_from(system: System) -> None:
    """The webhook can be had again, byte for byte, by what its event says."""
    post = traffic.whatsapp(
        {
            "metadata": {},
            "statuses": [
                {"id": "wamid.raw", "status": "sent", "timestamp": "1795000000", "recipient_id": "15557000006"}
            ],
        }
    )
    await system.post(post)
    await eventually(lambda: system.timeline("+15557000006"), bool)
    ((webhook_id, block),) = await system.stack.rows(
        "SELECT webhook_id, webhook_block FROM threadline.events WHERE provider_message_id = ANY (%s)",
        list(await digests(system.stack.postgres.dsn("owner"), ["wamid.raw"])),
    )
    async with await EventStore.open(system.stack.postgres.dsn("service"), SEAL, pool=1) as store:
        (raw,) = await store.read_raw(block, webhook_id)

    assert raw.partition(b"\n")[2] == post.body


async def test_one_trace_from_the_post_to_the_commit(system: System) -> None:
    """The door's spans and the worker's share a trace, each under its parent."""
    await system.post(
        traffic.whatsapp(
            {
                "metadata": {},
                "statuses": [
                    {"id": "wamid.trace", "status": "sent", "timestamp": "1795000000", "recipient_id": "15557000007"}
                ],
            }
        )
    )

    spans = await system.collector.trace("receive", "keep", "process")
    assert spans["keep"].parent_span_id == spans["receive"].span_id
    assert spans["process"].parent_span_id == spans["keep"].span_id


async def test_both_processes_tell_what_goes_on(system: System) -> None:
    """Health, readiness and metrics answer, with the figures an operator watches."""
    async with httpx.AsyncClient() as client:
        worker = f"http://127.0.0.1:{system.stack.worker}"
        for url in (f"{at}{page}" for at in (system.stack.url, worker) for page in ("/healthz", "/readyz")):
            # Not ready at once: a new cluster has no group coordinator yet, and the worker says so.
            await eventually(lambda url=url: client.get(url), lambda answer: answer.status_code == 200)  # type: ignore[misc]
        metrics = (await client.get(f"{system.stack.url}/metrics")).text + (await client.get(f"{worker}/metrics")).text
    for name in (
        "threadline_worker_records_total", "threadline_processing_latency_seconds_bucket", "threadline_consumer_lag",
        "threadline_worker_dead_letters_total", "threadline_spool_records", "threadline_worker_uptime_seconds",
    ):  # fmt: skip
        assert name in metrics
