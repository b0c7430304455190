"""Observes calls of providers: how long each took and how it ended, by account, as metrics and as the span `send`."""

import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Iterator, Sequence
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from agents.health import WorkerHealth
from agents.process.tracing import MOST_LINKS
from agents.sender.calls import Answered, Call
from agents.sender.claimed import Settlement
from app.exposition import buckets_of
from webhooks import spans
from webhooks.counters import Histogram

#: Upper bounds of the histogram, in seconds.
BUCKETS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
#: Stands for all accounts that clients configured themselves, since the number of their names is unbounded.
CLIENTS = "clients"
#: The outcome of a call that the provider took.
ACCEPTED = "accepted"

_tracer = trace.get_tracer("threadline.sender")


class Observed(NamedTuple):
    """An answered call: its span, when it began (Unix, in nanoseconds), and the seconds that it took."""

    answered: Answered
    span: Span | None
    began: int
    took: float


class CallMetrics:
    """Counts the calls of this process, by the adapter and the account."""

    def __init__(self, health: WorkerHealth) -> None:
        self._outcomes: Counter[tuple[str, str, str]] = Counter()
        self._seconds: defaultdict[tuple[str, str], Histogram] = defaultdict(lambda: Histogram(BUCKETS))
        health.more.append(self.collect)

    async def observe(self, calls: Sequence[Call], making: Awaitable[Answered]) -> Observed:
        """Make a call (or several that are made as one), and observe how long it takes."""
        began, started = time.time_ns(), time.perf_counter()
        span = _started(calls)
        if span is None:
            return Observed(await making, span, began, time.perf_counter() - started)
        with spans.within(span):
            return Observed(await making, span, began, time.perf_counter() - started)

    def count(self, observed: Observed, settlements: Sequence[Settlement]) -> None:
        """Count a call with its outcomes, and end its span."""
        calls, span = observed.answered.calls, observed.span
        key = _names(calls[0])
        self._seconds[key].observe(observed.took, spans.trace_of(span))
        for settlement in settlements:
            self._outcomes[(*key, settlement.outcome or "none")] += 1
        _ended(span, calls, settlements, observed.began)

    def collect(self) -> Iterator[Any]:
        """Yield the metrics, as a Prometheus collector."""
        outcomes = CounterMetricFamily(
            "threadline_provider_messages",
            "Messages in calls of providers, by what came of it.",
            labels=["adapter", "account", "outcome"],
        )
        for key, count in dict(self._outcomes).items():
            outcomes.add_metric([*key], count)
        yield outcomes
        seconds = HistogramMetricFamily(
            "threadline_provider_seconds", "Calls of providers: to the answer.", labels=["adapter", "account"]
        )
        for pair, histogram in dict(self._seconds).items():
            seconds.add_metric([*pair], buckets_of(histogram), histogram.total)
        yield seconds


def _names(call: Call) -> tuple[str, str]:
    return call.account.adapter.name, call.account.name if call.account.trusted else CLIENTS


def _started(calls: Sequence[Call]) -> Span | None:
    """Start the span `send` if a message is traced: in the message's trace, or for several in one of its own that links to
    theirs."""
    traces = [call.claimed.trace for call in calls if call.claimed.trace is not None]
    if not traces:
        return None
    context, links = spans.context_of(traces[0]), None
    if len(calls) > 1:
        links = [link for each in traces[:MOST_LINKS] if (link := spans.link_to(each)) is not None]
        context = Context()
    return None if context is None else _tracer.start_span("send", context, SpanKind.CLIENT, _about(calls), links)


def _ended(span: Span | None, calls: Sequence[Call], settlements: Sequence[Settlement], began: int) -> None:
    """End the span, and give its trace to the events of its messages. Without a span a failure is recorded as one."""
    failed = next((each for each in settlements if each.outcome != ACCEPTED), None)
    about: dict[str, Any] = {}
    if failed is not None:
        about = {"threadline.outcome": failed.outcome or "none", "threadline.state": failed.state}
        if failed.status:
            about["http.response.status_code"] = failed.status
    if span is None:
        if failed is not None:
            spans.FAILURES.record("send", began, {**_about(calls), **about}, SpanKind.CLIENT)
        return
    span.set_attributes(about)
    if failed is not None:
        spans.failed(span)
    traceparent = spans.traceparent_of(span)
    for settlement in settlements:
        for event in settlement.events:
            event.trace = traceparent if len(calls) == 1 else settlement.claimed.trace
    span.end()


def _about(calls: Sequence[Call]) -> dict[str, Any]:
    """Return a call's attributes: our own id of the message, since the client's may hold anything."""
    first = calls[0]
    adapter, account = _names(first)
    about = {"threadline.adapter": adapter, "threadline.account": account, "threadline.channel": first.route.channel}
    if len(calls) > 1:
        return {**about, "threadline.messages": len(calls)}
    return {**about, "threadline.message": first.claimed.id, "threadline.claim": first.claimed.claim}
