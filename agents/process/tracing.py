"""Continues the traces that the door sampled: a span `process` for each such record, from Kafka to the commit, and one span
`append` for its batch, which links to them."""

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import psycopg
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind

from sql import EventStore, references_of
from webhooks import spans

if TYPE_CHECKING:
    from agents.records.outcome import RecordOutcome

_tracer = trace.get_tracer("threadline.agents")
#: Most links of one span, as OpenTelemetry's own limit.
MOST_LINKS = 128
#: The attribute of a record that became a dead letter, wholly or in part.
DEAD = "threadline.dead_letter"


def process(record: Any) -> Span | None:
    """Start the span `process` in the trace of the record's Kafka header `traceparent`. Returns None without a valid header of
    a sampled trace."""
    for name, value in record.headers or ():
        if name == "traceparent" and isinstance(value, bytes) and len(value) <= spans.LONGEST:
            context = spans.context_of(value.decode("ascii", "replace"))
            return (
                None if context is None else _tracer.start_span("process", context, SpanKind.CONSUMER, _about(record))
            )
    return None


async def link(store: EventStore, outcomes: Sequence["RecordOutcome"]) -> None:
    """Link the spans of these records to the traces of the messages of ours on which they report. Asks the store only where a
    record is traced, and goes on without links where it does not answer."""
    found = [
        (outcome.span, reference)
        for outcome in outcomes
        if outcome.span is not None
        for event, client, _, _ in outcome.rows
        for reference in references_of(event, client)
    ]
    if not found:
        return
    try:
        traces = await store.traces([reference for _, reference in found])
    except (psycopg.Error, OSError):
        return
    for row in traces:
        span, linked = found[row["place"]][0], spans.link_to(row["trace"])
        if linked is not None and linked.context.trace_id != span.get_span_context().trace_id:
            span.add_link(linked.context)


def end(outcomes: Sequence["RecordOutcome"], began: int) -> None:
    """End the spans of these records and record the span `append` of their batch, which began at `began` (ns), linked to them. A
    dead letter without a span gets one, as a failure."""
    traced = [(outcome, outcome.span) for outcome in outcomes if outcome.span is not None]
    for outcome in outcomes:
        if outcome.span is None and outcome.letter is not None:
            spans.FAILURES.record("process", began, {**_about(outcome.record), DEAD: True}, SpanKind.CONSUMER)
    for outcome, span in traced:
        span.set_attribute("threadline.events", len(outcome.rows))
        if outcome.letter is not None:
            span.set_attribute(DEAD, True)
            spans.failed(span)
        span.end()
    if not traced:
        return
    links = [Link(span.get_span_context()) for _, span in traced[:MOST_LINKS]]
    counts = {"threadline.records": len(outcomes), "threadline.events": sum(len(outcome.rows) for outcome in outcomes)}
    batch = _tracer.start_span(
        "append", Context(), SpanKind.CLIENT, counts, links, start_time=min(began, time.time_ns())
    )
    batch.end()


def _about(record: Any) -> dict[str, Any]:
    return {"kafka.topic": record.topic, "kafka.partition": record.partition, "kafka.offset": record.offset}
