"""Continues the traces that the door sampled: a span `process`, from Kafka to the commit, with a child `commit`."""

from collections.abc import Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("threadline.agents")
#: Bytes of a `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header: 55, and room for later versions).
_LONGEST = 256


def process(record: Any) -> Span | None:
    """Start the span `process` in the trace of the record's Kafka header `traceparent`. Returns None without a valid header."""
    for name, value in record.headers or ():
        if name == "traceparent" and isinstance(value, bytes) and len(value) <= _LONGEST:
            context = _propagator.extract({"traceparent": value.decode("ascii", "replace")})
            attributes = {
                "kafka.topic": record.topic,
                "kafka.partition": record.partition,
                "kafka.offset": record.offset,
            }
            return _tracer.start_span("process", context, SpanKind.CONSUMER, attributes)
    return None


def end(spans: Iterable[Span], stored_from: int, events: int) -> None:
    """End these spans, each with a child `commit` for the transaction that began at `stored_from` (ns)."""
    for span in spans:
        inside = trace.set_span_in_context(span)
        _tracer.start_span("commit", inside, SpanKind.CLIENT, {"events": events}, start_time=stored_from).end()
        span.end()
