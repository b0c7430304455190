"""Traces requests: which are sampled, the span of each, and at the door the span `keep`, whose context goes with the record."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter, time_ns

from opentelemetry import trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from webhooks import spans
from webhooks.body import Disconnected

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("threadline.webhooks")
#: The name of the attribute, and the least status that is a failure of ours.
STATUS, FAILURE = "http.response.status_code", 500


class _Pairs(Getter[list[tuple[bytes, bytes]]]):
    """Reads trace context from ASGI headers."""

    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        return [value.decode("latin-1") for name, value in carrier if name == key.encode()] or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_pairs = _Pairs()


class Sampling:
    """Decides which requests are traced: a `share` of them and, with `trust`, those whose `traceparent` is sampled."""

    def __init__(self, share: float, trust: bool) -> None:
        self._share = share
        self._trust = trust

    @property
    def off(self) -> bool:
        """Whether no request is traced."""
        return not self._share and not self._trust

    @contextmanager
    def receive(self, headers: list[tuple[bytes, bytes]], called: str = "receive") -> Iterator[Span | None]:
        """Yield the span of one request, or None if it is not sampled. No exception is recorded in it, since its message may
        hold personal data: see `answered` and `crashed`."""
        context = None
        if self._trust and any(name == b"traceparent" for name, _ in headers):
            context = _propagator.extract(headers, getter=_pairs)
            parent = trace.get_current_span(context).get_span_context()
            if parent.is_valid and not parent.trace_flags.sampled:
                yield None
                return
            if not parent.is_valid:
                context = None
        if context is None and random.random() >= self._share:  # noqa: S311  # a draw, no secret
            yield None
            return
        with _tracer.start_as_current_span(
            called, context, SpanKind.SERVER, record_exception=False, set_status_on_exception=False
        ) as span:
            yield span


def answered(span: Span | None, status: int, name: str, began: float, attributes: spans.Attributes) -> None:
    """Note the status of an answer in its span. One of 5xx without a span is recorded as a failure: `name`, with the time it
    `began` (of `perf_counter`) and the attributes."""
    if span is not None:
        span.set_attributes({**attributes, STATUS: status})
        if status >= FAILURE:
            spans.failed(span)
    elif status >= FAILURE:
        spans.FAILURES.record(name, _wall(began), {**attributes, STATUS: status}, SpanKind.SERVER)


def crashed(span: Span | None, error: Exception, name: str, began: float) -> None:
    """Note that serving a request raised an exception, which the server answers 500; that its caller has gone is no failure."""
    if span is None and not isinstance(error, Disconnected):
        failure: spans.Attributes = {"error.type": type(error).__name__, STATUS: FAILURE}
        spans.FAILURES.record(name, _wall(began), failure, SpanKind.SERVER)
    elif span is not None and not isinstance(error, Disconnected):
        spans.failed(span, type(error).__name__)


def _wall(began: float) -> int:
    """Return a time of `perf_counter` in nanoseconds since 1970."""
    return time_ns() - int((perf_counter() - began) * 1e9)


@contextmanager
def keeping(attributes: Mapping[str, str]) -> Iterator[str | None]:
    """Trace the keeping of one record, and yield the `traceparent` to send with it, or None."""
    with _tracer.start_as_current_span(
        "keep",
        kind=SpanKind.PRODUCER,
        attributes=dict(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield spans.traceparent_of(span)
