"""Trace contexts as text, and spans of failures that were not sampled."""

from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from webhooks import spans

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans of failures."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", SAMPLED[:-1] + "0", SAMPLED + "-" + "a" * 300, "00-" + "0" * 52]
)
def test_what_is_no_sampled_trace(text: str | None) -> None:
    """It has neither a context nor a link."""
    assert spans.context_of(text) is None
    assert spans.link_to(text) is None


def test_a_sampled_trace_there_and_back() -> None:
    """A span within the context has its trace, and is written with its own id."""
    span = TracerProvider().get_tracer("test").start_span("s", spans.context_of(SAMPLED))
    written = spans.traceparent_of(span)
    assert written is not None and written[:35] == SAMPLED[:35]
    assert written[36:52] == f"{span.get_span_context().span_id:016x}"
    link = spans.link_to(SAMPLED)
    assert link is not None and f"{link.context.span_id:016x}" == SAMPLED[36:52]
    assert spans.traceparent_of(None) is None
    assert spans.traceparent_of(trace.INVALID_SPAN) is None


def test_a_failure_becomes_a_span(made: InMemorySpanExporter) -> None:
    """A root of its own, with its start, an error status, and no words."""
    with TracerProvider().get_tracer("test").start_as_current_span("around"):
        spans.Failures().record("send", 1_000, {"threadline.channel": "sms"})
    (span,) = made.get_finished_spans()
    assert (span.name, span.start_time, span.parent) == ("send", 1_000, None)
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert dict(span.attributes or {}) == {"threadline.channel": "sms"}


def test_failures_are_limited_in_each_second(made: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an outage a process makes a few a second, and in the next second as many again."""
    now, failures = [5_000_000_000], spans.Failures(most=3)
    monkeypatch.setattr("webhooks.spans.time.time_ns", lambda: now[0])
    for _ in range(10):
        failures.record("send", 1, {})
    assert len(made.get_finished_spans()) == 3
    now[0] += 1_000_000_000
    for _ in range(10):
        failures.record("send", 1, {})
    assert len(made.get_finished_spans()) == 6
