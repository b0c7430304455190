"""Traces sampled webhooks at the door: a span `receive`, its child `keep`, and the context passed on with the record."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_propagator = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("threadline.webhooks")


class _Pairs(Getter[list[tuple[bytes, bytes]]]):
    """Reads trace context from ASGI headers."""

    def get(self, carrier: list[tuple[bytes, bytes]], key: str) -> list[str] | None:
        return [value.decode("latin-1") for name, value in carrier if name == key.encode()] or None

    def keys(self, carrier: list[tuple[bytes, bytes]]) -> list[str]:
        return [name.decode("latin-1") for name, _ in carrier]


_pairs = _Pairs()


class Sampling:
    """Decides which webhooks are traced: a `share` of them and, with `trust`, those whose `traceparent` is sampled."""

    def __init__(self, share: float, trust: bool) -> None:
        self._share = share
        self._trust = trust

    @property
    def off(self) -> bool:
        """Whether no webhook is traced."""
        return not self._share and not self._trust

    @contextmanager
    def receive(self, headers: list[tuple[bytes, bytes]]) -> Iterator[Span | None]:
        """Yield the span of one request, or None if it is not sampled."""
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
        with _tracer.start_as_current_span("receive", context, SpanKind.SERVER) as span:
            yield span


@contextmanager
def keeping(attributes: Mapping[str, str]) -> Iterator[str | None]:
    """Trace the keeping of one record; yield the `traceparent` to send with it, or None."""
    with _tracer.start_as_current_span("keep", kind=SpanKind.PRODUCER, attributes=dict(attributes)):
        carrier: dict[str, str] = {}
        _propagator.inject(carrier)
        yield carrier.get("traceparent")
