"""Writes and reads trace contexts as text (`traceparent`), and records a span of a failure after it happened.

Head sampling decides before the work whether it is traced. Work that was not sampled and then failed gets one span when the failure
is known, which begins at the start of the work. So a success costs nothing, and every failure can be found in the traces, up to a limit.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Attributes = Mapping[str, str | int | bool | Sequence[str]]

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("threadline.failures")
#: Characters of a `traceparent` (https://www.w3.org/TR/trace-context/#traceparent-header: 55, and room for later versions).
LONGEST = 256
#: The most spans of failures that one process makes in a second: in an outage every request fails, and ten show that well enough.
MOST = 10


def context_of(traceparent: str | None) -> Context | None:
    """Return the context of a `traceparent`, or None where it is absent, invalid or not sampled."""
    if traceparent is None or len(traceparent) > LONGEST:
        return None
    context = _propagator.extract({"traceparent": traceparent})
    found = trace.get_current_span(context).get_span_context()
    return context if found.is_valid and found.trace_flags.sampled else None


def link_to(traceparent: str | None) -> Link | None:
    """Return a link to the span of a `traceparent`, or None as `context_of` does."""
    context = context_of(traceparent)
    return None if context is None else Link(trace.get_current_span(context).get_span_context())


def traceparent_of(span: Span | None) -> str | None:
    """Return the `traceparent` of a span, or None if there is no span or it is not sampled."""
    if span is None or not span.is_recording():
        return None
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(span))
    return carrier.get("traceparent")


def trace_of(span: Span | None) -> str | None:
    """Return the id of a span's trace in hexadecimal, also after the span has ended, or None where it is not sampled."""
    if span is None or not (context := span.get_span_context()).trace_flags.sampled:
        return None
    return trace.format_trace_id(context.trace_id)


def within(span: Span | None) -> AbstractContextManager[object]:
    """Make a span the current one during a block, so that the log's lines have its ids."""
    if span is None:
        return nullcontext()
    return trace.use_span(span, record_exception=False, set_status_on_exception=False)


def failed(span: Span, error: str | None = None) -> None:
    """Mark a span as failed. `error` is a class's name or one of our own words, never a message, which may hold personal data."""
    span.set_status(Status(StatusCode.ERROR))
    if error is not None:
        span.set_attribute("error.type", error)


class Failures:
    """Records failures of work that was not sampled: at most `most` a second."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._second, self._made = 0, 0

    def record(self, name: str, began: int, attributes: Attributes, kind: SpanKind = SpanKind.INTERNAL) -> None:
        """Record a span with the status error, from `began` (nanoseconds since 1970) until now. Without a collector it goes
        nowhere."""
        now = time.time_ns()
        if (second := now // 1_000_000_000) != self._second:
            self._second, self._made = second, 0
        if self._made >= self._most:
            return
        self._made += 1
        span = _tracer.start_span(name, Context(), kind, dict(attributes), start_time=min(began, now))
        failed(span)
        span.end()


#: The failures of this process.
FAILURES = Failures()
