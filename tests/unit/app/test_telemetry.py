"""Logs and traces: one JSON line an event, with trace ids and without bodies; a trace from the POST to the record."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.settings import Telemetry
from app.telemetry import configure_logs, share
from tests.unit.webhooks.doors import a_door, sms
from webhooks import tracing
from webhooks.spool import Unkept

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Where log lines go during the test; afterwards logging is as it was."""
    root = logging.getLogger()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    configure_logs(Telemetry(), service="http", stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**configured)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans that the door records."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The log lines so far."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_one_line_an_event(log: io.StringIO) -> None:
    """Our lines and those of libraries are JSON, with level, time, logger and service."""
    structlog.get_logger("ours").info("it_happened", number=1)
    logging.getLogger("theirs").warning("so did %s", "this")
    ours, theirs = lines(log)
    assert (ours["event"], ours["number"], ours["level"], ours["service"]) == ("it_happened", 1, "info", "http")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("so did this", "theirs", "warning")
    assert ours["timestamp"].endswith("Z")


def test_trace_ids(log: io.StringIO) -> None:
    """A line that is written within a span names it."""
    with TracerProvider().get_tracer("test").start_as_current_span("s") as span:
        structlog.get_logger("ours").info("within")
    assert lines(log)[0]["trace_id"] == trace.format_trace_id(span.get_span_context().trace_id)


def test_exceptions_without_values(log: io.StringIO) -> None:
    """An exception is logged with its frames, and without what their variables held."""
    password = "hunter2-" + "x" * 3
    try:
        len(password) / 0
    except ZeroDivisionError:
        structlog.get_logger("ours").exception("failed")
    assert lines(log)[0]["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert password not in log.getvalue()


def test_share() -> None:
    """Where no collector is configured nothing is sampled: a span that goes nowhere would only cost."""
    assert share(Telemetry(sample=0.5)) == 0
    assert share(Telemetry(sample=0.5, otlp_endpoint="http://localhost:4318")) == 0.5


async def test_a_sampled_webhook(spans: InMemorySpanExporter) -> None:
    """A sampled webhook has the spans `receive` and, under it, `keep`, whose context goes with the record."""
    async with a_door(share=1.0) as door:
        await door.post(sms())
        [(_, traceparent)] = door.keep.kept
    keep, receive = spans.get_finished_spans()
    assert (keep.name, receive.name) == ("keep", "receive")
    assert keep.parent is not None
    assert receive.context is not None
    assert keep.context is not None
    assert keep.parent.span_id == receive.context.span_id
    assert traceparent is not None
    ids, flags = traceparent.rsplit("-", 1)
    assert ids == f"00-{keep.context.trace_id:032x}-{keep.context.span_id:016x}"
    assert int(flags, 16) & 1
    assert not any("555" in str(value) for value in (keep.attributes or {}).values())


async def test_unsampled(spans: InMemorySpanExporter) -> None:
    """The others have none, and no context goes with them."""
    async with a_door(share=0.0) as door:
        await door.post(sms())
        assert door.keep.kept[0][1] is None
    assert not spans.get_finished_spans()


@pytest.mark.parametrize("trusted", [True, False])
async def test_a_callers_trace(spans: InMemorySpanExporter, trusted: bool) -> None:
    """A caller's trace is continued only where that is configured: anyone could have his requests traced otherwise."""
    async with a_door(share=0.0, trust_traceparent=trusted) as door:
        post = sms()
        post.headers["traceparent"] = PARENT
        await door.post(post)
        traceparent = door.keep.kept[0][1]
    assert (traceparent is not None and traceparent[3:35] == PARENT[3:35]) is trusted
    assert len(spans.get_finished_spans()) == (2 if trusted else 0)


async def test_a_callers_unsampled_trace(spans: InMemorySpanExporter) -> None:
    """A trusted caller's decision not to sample holds too."""
    async with a_door(share=1.0, trust_traceparent=True) as door:
        post = sms()
        post.headers["traceparent"] = PARENT[:-1] + "0"
        await door.post(post)
    assert not spans.get_finished_spans()


async def test_a_refusal_in_a_trace(spans: InMemorySpanExporter) -> None:
    """A refusal is recorded in its trace, and answered as always."""
    async with a_door(share=1.0) as door:
        assert (await door.post(sms("http://wrong.example.com/"))).status == 401
    [receive] = spans.get_finished_spans()
    assert receive.name == "receive"
    assert dict(receive.attributes or {}) == {"webhook.source": "twilio", "http.response.status_code": 401}
    assert not receive.events and receive.status.is_unset  # our failure it is not, and the reason stays in the log


async def test_an_answer_of_5xx_that_is_not_sampled(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is recorded as a failure; what is answered 200 or 401 beside it is not."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr("webhooks.spans._tracer", provider.get_tracer("test"))
    async with a_door(share=0.0) as door:
        assert (await door.post(sms())).status == 200
        assert (await door.post(sms("http://wrong.example.com/"))).status == 401
        assert not spans.get_finished_spans()

        def full(*_: object) -> None:
            raise Unkept("the spool is full")

        monkeypatch.setattr(door.keep, "put", full)
        assert (await door.post(sms())).status == 503
    (failed,) = spans.get_finished_spans()
    assert dict(failed.attributes or {}) == {"webhook.source": "twilio", "http.response.status_code": 503}
    provider.shutdown()
