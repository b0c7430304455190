"""Traces the relay and the callbacks: a span `relay` for a page that has traced events, and `callback` for each try."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind

from adapters.contract import HttpCall
from agents.process.tracing import MOST_LINKS
from webhooks import spans

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


@contextmanager
def calling_back(traceparent: str | None, request: HttpCall) -> Iterator[Span | None]:
    """Trace one try of a callback in the trace of its event, which the request's header `traceparent` carries on. Gives None
    where the event is not traced."""
    context = spans.context_of(traceparent)
    if context is None:
        yield None
        return
    span = _tracer.start_span("callback", context, SpanKind.CLIENT)
    if (own := spans.traceparent_of(span)) is not None:
        request.headers["traceparent"] = own
    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield span
    except Exception as error:
        spans.failed(span, type(error).__name__)
        raise
    finally:
        span.end()


def answered(span: Span | None, status: int) -> None:
    """Note the status of a callback's answer in its span."""
    if span is not None:
        span.set_attribute("http.response.status_code", status)
        if not 200 <= status < 300:
            spans.failed(span)
