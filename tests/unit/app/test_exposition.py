"""Metrics in the format that the scraper asks for, with exemplars where it can read them."""

from collections.abc import Iterable

import httpx
import pytest
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from starlette.applications import Starlette

from agents.health import WorkerHealth
from agents.process.pages import pages
from app.http.health import HttpHealth
from app.http.metrics import HttpMetrics
from app.settings import Settings
from tests.support.traffic import twilio
from tests.unit.app.test_http import door
from tests.unit.webhooks.doors import URL, a_door
from webhooks import tracing
from webhooks.counters import Counters, Histogram

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
#: What Prometheus 2 and 3 send, shortened.
PROMETHEUS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"


def worker() -> Starlette:
    """A worker's pages, after two commits: 0.2 s after receipt and not traced, 3 s after it and traced."""
    health = WorkerHealth()
    health.latency.observe(0.2)
    health.latency.observe(3.0, TRACE)
    return pages(health, 60.0)


def http() -> Starlette:
    """The HTTP process's pages, after two such requests."""
    of = door()
    of.counters.latency.observe(0.2)
    of.counters.latency.observe(3.0, TRACE)
    return Starlette(routes=HttpHealth(of, HttpMetrics(of, Counters()), Settings()).open_routes())


async def scraped(app: Starlette, accept: str) -> httpx.Response:
    """Return the answer of `/metrics`."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        return await client.get("/metrics", headers={"accept": accept})


def exemplars(families: Iterable[Metric]) -> dict[tuple[str, str], tuple[dict[str, str], float]]:
    """Return the exemplars by the sample's name and the bucket."""
    samples = [sample for family in families for sample in family.samples]
    return {
        (one.name, one.labels["le"]): (one.exemplar.labels, one.exemplar.value)
        for one in samples
        if one.exemplar is not None
    }


@pytest.mark.parametrize(
    ("app", "name"), [(worker(), "threadline_processing_latency_seconds"), (http(), "threadline_door_seconds")]
)
async def test_exemplars_in_openmetrics_only(app: Starlette, name: str) -> None:
    """A scraper that asks for OpenMetrics gets the traced value's trace in its bucket alone; one that does not gets the plain
    text, in which there are no exemplars; both get the same metrics with the same values."""
    answer = await scraped(app, PROMETHEUS)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    families = [*openmetrics(answer.text)]  # type: ignore[no-untyped-call]
    assert exemplars(families) == {(f"{name}_bucket", "5.0"): ({"trace_id": TRACE}, 3.0)}

    answer = await scraped(app, "*/*")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "trace_id" not in answer.text
    counted = [{(s.name, *s.labels.items()): s.value for f in each for s in f.samples if s.name.startswith(name)}
               for each in (families, plain(answer.text))]  # fmt: skip
    assert counted[0] == counted[1] and counted[0]


def test_the_last_traced_value_of_a_bucket_is_kept() -> None:
    """A later traced value replaces an earlier one of its bucket; one that was not sampled does not."""
    histogram = Histogram((1.0, 2.0))
    histogram.observe(1.5, "first")
    histogram.observe(1.6, "second")
    histogram.observe(1.7)
    assert {place: each[:2] for place, each in histogram.exemplars.items()} == {1: ("second", 1.6)}
    assert histogram.counts == [0, 3, 0]


@pytest.mark.parametrize("share", [1.0, 0.0])
async def test_the_door_gives_the_trace_of_a_sampled_request(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """A sampled request leaves the id of its trace in the histogram of the door's answers; one that is not sampled, nothing."""
    provider = TracerProvider()
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    async with a_door(share=share) as under_test:
        await under_test.post(twilio({"MessageSid": "SM1", "MessageStatus": "sent"}, URL))
        kept = [traceparent for _, traceparent in under_test.keep.kept]
        latency = under_test.door.counters.latency
    assert sum(latency.counts) == 1
    assert [trace for trace, _, _ in latency.exemplars.values()] == [each.split("-")[1] for each in kept if each]
    assert len(latency.exemplars) == (share == 1.0)
