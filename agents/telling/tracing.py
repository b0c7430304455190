"""Traces the relay and the callbacks: a span `relay` for a page that has traced events, and `callback` for each try."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from adapters.contract import HttpCall
from agents.process.tracing import MOST_LINKS
from webhooks import spans
from webhooks.tracing import STATUS

_tracer = trace.get_tracer("threadline.telling")


@contextmanager
def relaying(page: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Trace the publication of a page of the log in one span, which links to the traces of its events. Each record has the
    `traceparent` of its own event, so that readers go on in that trace."""
    traces = {row["trace"]: None for row in page if row["trace"] is not None}
    links = [link for each in list(traces)[:MOST_LINKS] if (link := spans.link_to(each)) is not None]
    if not links:
        yield
        return
    span = _tracer.start_span("relay", Context(), SpanKind.PRODUCER, {"threadline.events": len(page)}, links)
    try:
        yield
    except Exception as error:
        spans.failed(span, type(error).__name__)
        raise
    finally:
        span.end()


class Try:
    """One try of a callback: `span` is None where its event is not traced."""

    def __init__(self, span: Span | None) -> None:
        self.span = span
        self._began = time.time_ns()

    def answered(self, status: int) -> None:
        """Note the status of the answer."""
        about = {STATUS: status}
        if self.span is not None:
            self.span.set_attributes(about)
            if not 200 <= status < 300:
                spans.failed(self.span)
        elif not 200 <= status < 300:
            spans.FAILURES.record("callback", self._began, about, SpanKind.CLIENT)

    def failed(self, error: Exception) -> None:
        """Note that there was no answer."""
        name = type(error).__name__
        if self.span is not None:
            spans.failed(self.span, name)
        else:
            spans.FAILURES.record("callback", self._began, {"error.type": name}, SpanKind.CLIENT)


@contextmanager
def calling_back(traceparent: str | None, request: HttpCall) -> Iterator[Try]:
    """Trace one try of a callback in the trace of its event, which the request's header `traceparent` carries on. Where the event
    is not traced, only a failure is recorded."""
    context = spans.context_of(traceparent)
    span = None if context is None else _tracer.start_span("callback", context, SpanKind.CLIENT)
    if (own := spans.traceparent_of(span)) is not None:
        request.headers["traceparent"] = own
    one = Try(span)
    try:
        with spans.within(span):
            yield one
    except Exception as error:
        one.failed(error)
        raise
    finally:
        if span is not None:
            span.end()
