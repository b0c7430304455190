"""The spans of callbacks' tries, whose events are traced or not."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from adapters.contract import HttpCall
from agents.telling import tracing
from webhooks import spans

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """The spans that end, of tries and of failures."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(spans, "FAILURES", spans.Failures())
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def post() -> HttpCall:
    """A callback that is not posted."""
    return HttpCall("POST", "https://client.example.com/events", {}, b"{}")


def attempt(traceparent: str | None, status: int | None) -> HttpCall:
    """Try a callback that is answered with this status, or with None not at all."""
    request = post()
    with tracing.calling_back(traceparent, request) as tried:
        if status is None:
            raise TimeoutError("no words of a client")
        tried.answered(status)
    return request


def test_a_failure_that_was_not_sampled_has_a_span(made: InMemorySpanExporter) -> None:
    """With the status of the answer, or the error's class, and nothing else; the request carries no trace."""
    assert "traceparent" not in attempt(None, 500).headers
    with pytest.raises(TimeoutError):
        attempt(None, None)
    answered, unanswered = made.get_finished_spans()
    assert [span.name for span in (answered, unanswered)] == ["callback", "callback"]
    assert dict(answered.attributes or {}) == {"http.response.status_code": 500}
    assert dict(unanswered.attributes or {}) == {"error.type": "TimeoutError"}
    for span in (answered, unanswered):
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
        assert span.parent is None and not span.events


def test_a_success_that_was_not_sampled_has_none(made: InMemorySpanExporter) -> None:
    """Any answer of 2xx."""
    attempt(None, 204)
    assert not made.get_finished_spans()


@pytest.mark.parametrize(
    ("status", "code"), [(204, StatusCode.UNSET), (410, StatusCode.ERROR), (None, StatusCode.ERROR)]
)
def test_a_traced_try_has_one_span(made: InMemorySpanExporter, status: int | None, code: StatusCode) -> None:
    """In the trace of its event, whatever comes of it."""
    try:
        request = attempt(SAMPLED, status)
    except TimeoutError:
        assert status is None
    else:
        assert request.headers["traceparent"][:35] == SAMPLED[:35]
    (span,) = made.get_finished_spans()
    assert f"{span.context.trace_id:032x}" == SAMPLED[3:35]
    assert span.status.status_code is code
