"""Writes metrics in the format that the scraper asks for: OpenMetrics, which has exemplars, or Prometheus's plain text."""

from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.samples import Exemplar
from starlette.requests import Request
from starlette.responses import Response

from webhooks.counters import Histogram

Bucket = tuple[str, float] | tuple[str, float, Exemplar]


def exposed(registry: CollectorRegistry, request: Request) -> Response:
    """Return the answer with all metrics, in the format that the request's header `Accept` names."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), headers={"content-type": media_type, "vary": "accept"})


def buckets_of(histogram: Histogram) -> list[Bucket]:
    """Return a histogram's cumulative buckets, each with the last traced value in it as exemplar, if there is one."""
    bounds = [*(str(float(bound)) for bound in histogram.bounds), "+Inf"]
    # A copy, since the original may grow during the scrape.
    exemplars = {
        place: Exemplar({"trace_id": trace}, value, when)
        for place, (trace, value, when) in dict(histogram.exemplars).items()
    }
    return [
        (bound, count, exemplars[place]) if place in exemplars else (bound, count)
        for place, (bound, count) in enumerate(zip(bounds, accumulate(histogram.counts), strict=True))
    ]
