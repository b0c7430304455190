"""Traces of the running whole, as a collector gets them: one from a request to the callback, links where traces meet, and
failures that were not sampled."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics

from app.kafka import client_args
from app.simulator.server import Plan
from sql import EventStore
from tests.fixtures import accounts
from tests.integration.callbacks import Receiver, receiving
from tests.support.collector import Collector, attributes, collecting
from tests.support.keys import KEY, SEAL
from tests.support.simulated import simulated
from tests.support.stack import Stack
from tests.support.waiting import eventually

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
#: An error's status in OTLP (https://github.com/open-telemetry/opentelemetry-proto, trace.proto).
ERROR = 2


@dataclass
class Traced:
    """The running whole, where its spans go, and where its client is called back."""

    stack: Stack
    collector: Collector
    receiver: Receiver
    token: str

    async def send(self, **more: Any) -> httpx.Response:
        """Ask for one message."""
        async with httpx.AsyncClient(base_url=self.stack.url, timeout=20) as http:
            document = {"channel": "sms", "to": "+15551230001", "body": "Hello"} | more
            headers = {"authorization": f"Bearer {self.token}"}
            return await http.post("/v1/messages", json=document, headers=headers)


async def running(folder: Path, sample: float, api: str = "") -> AsyncGenerator[Traced]:
    """Run the whole with this share of traces; Twilio is simulated, or at `api`."""
    stack = Stack(folder, {})
    secret = {
        "THREADLINE_SECRETS__KEYS": json.dumps([KEY]),
        "THREADLINE_CALLBACKS__HTTP_HOSTS": '["127.0.0.1"]',
        "THREADLINE_CALLBACKS__ALLOWED_NETWORKS": '["127.0.0.0/8"]',
    }
    url = f"{stack.url}/webhooks/aggregate/twilio"
    async with (
        collecting() as collector,
        receiving(Receiver()) as receiver,
        simulated("twilio", Plan(to=url, public_url=url, failing=0.0, inbound=0.0, seed=1)) as twilio,
    ):
        source = {**accounts("twilio").settings, "api_url": api or twilio, "sender": "+15557654321", "url": url}
        stack._given["sources"] = {"twilio": source}
        stack._given["telemetry"] = {"sample": sample, "otlp_endpoint": collector.url}
        async with stack:
            async with await EventStore.open(stack.postgres.dsn("service"), SEAL, pool=1) as store:
                channels = [{"channel": "sms", "account": "twilio"}]
                callback = {"url": receiver.url}
                document = {
                    "channels": channels,
                    "callback": callback,
                    "retry": {"attempts": 2, "first": 1, "longest": 1},
                }
                await store.set_client("default", document, "test")
                await store.set_callback("default", receiver.url, (), 4)
            await asyncio.gather(stack.start("serve", **secret), stack.start("work", **secret))
            yield Traced(stack, collector, receiver, await stack.key("messages:write"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def traced(servers_folder: Path) -> AsyncIterator[Traced]:
    """With every request traced."""
    async with aclosing(running(servers_folder / "traced", 1.0)) as started:
        yield await anext(started)


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def published(stack: Stack, message_id: str, types: set[str]) -> dict[str, str]:
    """Return the `traceparent` of the message's records on `events.recorded`, by the event's type, once all are there."""
    found: dict[str, str] = {}
    arguments = client_args(stack.settings.kafka)
    async with AIOKafkaConsumer("events.recorded", auto_offset_reset="earliest", **arguments) as consumer:
        async with asyncio.timeout(30):
            while not types <= found.keys():
                record = await consumer.getone()
                event = json.loads(record.value)
                if event["data"].get("messageId") == message_id:
                    found[event["type"]] = dict(record.headers).get("traceparent", b"").decode()
    return found


async def test_a_message_from_the_request_to_the_callback(traced: Traced) -> None:
    """One trace: the request, the call of the provider, the callback; the records of `events.recorded` carry it on. The
    provider's webhook has its own trace, which links to the message's."""
    assert (await traced.send(messageId="whole")).status_code == 202

    async def posted() -> dict[str, str]:
        ours = [one for one in traced.receiver.posted if one.json["data"]["messageId"] == "whole"]
        return {one.json["type"]: one.headers["traceparent"] for one in ours}

    headers = await eventually(posted, lambda found: {"message.requested", "message.sent"} <= found.keys())
    trace_id = bytes.fromhex(headers["message.requested"][3:35])
    spans = await traced.collector.trace("POST /v1/messages", "send", "callback", of=trace_id)
    request, send = spans["POST /v1/messages"], spans["send"]
    assert not request.parent_span_id
    assert send.parent_span_id == request.span_id

    async def called_back() -> list[Any]:
        return [span for span in traced.collector.traces()[trace_id] if span.name == "callback"]

    callbacks = await eventually(called_back, lambda found: len(found) == 2)  # what Twilio reports has its own trace
    assert {span.parent_span_id for span in callbacks} <= {request.span_id, send.span_id}
    assert attributes(send)["threadline.account"] == "twilio"
    assert attributes(request)["http.response.status_code"] == 202

    assert {headers[type][36:52] for type in ("message.requested", "message.sent")} == {
        span.span_id.hex() for span in callbacks
    }

    async def webhooks() -> list[Any]:
        return [
            span
            for span in traced.collector.spans
            if span.name == "process" and any(link.trace_id == request.trace_id for link in span.links)
        ]

    (process, *_) = await eventually(webhooks)
    assert process.trace_id != request.trace_id
    await traced.collector.trace("receive", "keep", "process", of=process.trace_id)

    async def linked() -> set[tuple[str, bytes]]:
        return {(span.name, link.span_id) for span in traced.collector.spans for link in span.links}

    await eventually(
        linked, {("append", process.span_id), ("relay", request.span_id), ("relay", send.span_id)}.issubset
    )

    records = await published(traced.stack, "whole", {"message.requested", "message.sent"})
    assert records["message.requested"][3:35] == request.trace_id.hex()
    assert records["message.sent"][3:52] == f"{send.trace_id.hex()}-{send.span_id.hex()}"


async def test_a_request_on_kafka(traced: Traced) -> None:
    """A request that a service puts on Kafka in a trace of its own goes on in that trace."""
    document = {"clientId": "default", "messageId": "by-kafka", "channel": "sms", "to": "+15551230002", "body": "Hello"}
    async with AIOKafkaProducer(**client_args(traced.stack.settings.kafka)) as producer:
        headers = [("traceparent", PARENT.encode())]
        await producer.send_and_wait("messages.requested", json.dumps(document).encode(), headers=headers)

    async def spans() -> dict[str, Any]:
        return {span.name: span for span in traced.collector.traces().get(bytes.fromhex(PARENT[3:35]), [])}

    found = await eventually(spans, lambda seen: {"process", "send", "callback"} <= seen.keys())
    assert found["process"].parent_span_id.hex() == PARENT[36:52]
    assert found["send"].parent_span_id == found["process"].span_id


async def test_exemplars_name_traces_of_the_collector(traced: Traced) -> None:
    """In OpenMetrics, a request, a record's processing and a call of a provider each have an exemplar, whose trace arrived at the
    collector with the span of that work."""
    assert (await traced.send(messageId="exemplary")).status_code == 202
    await published(traced.stack, "exemplary", {"message.sent"})
    spans = {"threadline_api_seconds": "POST /v1/messages", "threadline_processing_latency_seconds": "process"}
    spans["threadline_provider_seconds"], spans["threadline_door_seconds"] = "send", "receive"

    async def named() -> dict[str, set[bytes]]:
        found: dict[str, set[bytes]] = {}
        async with httpx.AsyncClient(timeout=20, headers={"accept": "application/openmetrics-text"}) as http:
            for port in (traced.stack.door, traced.stack.worker):
                page = (await http.get(f"http://127.0.0.1:{port}/metrics")).text
                families = openmetrics(page)  # type: ignore[no-untyped-call]
                for sample in (sample for family in families for sample in family.samples):
                    if sample.exemplar is not None:
                        trace = bytes.fromhex(sample.exemplar.labels["trace_id"])
                        found.setdefault(sample.name.removesuffix("_bucket"), set()).add(trace)
        return found

    found = await eventually(named, lambda each: spans.keys() <= each.keys())

    async def arrived() -> bool:
        names = {trace: {span.name for span in of} for trace, of in traced.collector.traces().items()}
        known = all(trace in names for metric in spans for trace in found[metric])
        return known and all(any(span in names[trace] for trace in found[metric]) for metric, span in spans.items())

    await eventually(arrived)


async def test_no_address_in_a_span(traced: Traced) -> None:
    """Neither the recipient's number nor the path of a request about a recipient is in any attribute."""
    await traced.send(messageId="quiet", to="+15551239999", body="a secret text")
    async with httpx.AsyncClient(base_url=traced.stack.url) as http:
        await http.get("/v1/recipients/%2B15551239999", headers={"authorization": f"Bearer {traced.token}"})
    await eventually(
        lambda: traced.stack.rows("SELECT 1 FROM threadline.messages WHERE message_id = 'quiet' AND state = 'sent'")
    )

    async def both() -> set[str]:
        return {span.name for span in traced.collector.spans}

    await eventually(both, lambda names: {"GET /v1/recipients/{handle:path}", "send"} <= names)
    written = b"".join(span.SerializeToString() for span in traced.collector.spans)
    for secret in (b"5551239999", b"a secret text"):
        assert secret not in written


async def test_failures_that_were_not_sampled(servers_folder: Path) -> None:
    """With no request sampled, a dead letter, a send that fails, a callback that is refused and an answer of 5xx each arrive as a
    span with an error, and nothing else does; nothing of the store or of Kafka carries a trace."""
    async with aclosing(running(servers_folder / "unsampled", 0.0, api="http://127.0.0.1:1")) as started:
        traced = await anext(started)
        stack = traced.stack
        traced.receiver.answer = "500 Internal Server Error"
        async with AIOKafkaProducer(**client_args(stack.settings.kafka)) as producer:
            await producer.send_and_wait("events.reported", b"no event")
        assert (await traced.send(messageId="fails")).status_code == 202

        async def names() -> set[str]:
            return {span.name for span in traced.collector.spans}

        await eventually(names, lambda found: {"process", "send", "callback"} <= found)
        await stack.postgres.stop()
        assert (await traced.send()).status_code == 503
        await eventually(names, lambda found: {"process", "send", "callback", "POST /v1/messages"} == found)
        assert all(span.status.code == ERROR for span in traced.collector.spans)
        letter = next(span for span in traced.collector.spans if span.name == "process")
        assert attributes(letter)["kafka.topic"] == "events.reported"
        assert letter.start_time_unix_nano <= letter.end_time_unix_nano
        await stack.postgres.start()
        assert await stack.rows(
            "SELECT (SELECT count(trace) FROM threadline.events), (SELECT count(trace) FROM threadline.messages)"
        ) == [(0, 0)]
