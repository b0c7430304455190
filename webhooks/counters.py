"""The door's counters: plain integers, incremented on the hot path and read when metrics are scraped."""

import time
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

#: Upper bounds of histogram buckets: seconds from request to response, and bytes of a body.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BYTES = (256, 512, 1024, 2048, 4096, 16384, 65536, 262144, 1048576)


class Histogram:
    """A count per bucket (one for each of `bounds`, one for larger values), the sum of the observed values, and by bucket the
    last value that was traced: the trace's id, the value, and when it was observed (Unix seconds)."""

    __slots__ = ("bounds", "counts", "exemplars", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.exemplars: dict[int, tuple[str, float, float]] = {}
        self.total = 0.0

    def observe(self, value: float, trace: str | None = None) -> None:
        """Count one value; `trace` is the id of its trace if it was sampled."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += 1
        self.total += value
        if trace is not None:
            self.exemplars[bucket] = trace, value, time.time()


@dataclass(slots=True)
class Counters:
    """The counts of one door since its process started."""

    #: Kept webhooks, by source.
    kept: Counter[str] = field(default_factory=Counter)
    #: Responses, by status.
    answered: Counter[int] = field(default_factory=Counter)
    #: Refusals, by (source, status); the source is `-` where it is unknown.
    refused: Counter[tuple[str, int]] = field(default_factory=Counter)
    #: Requests whose caller closed the connection before they were complete.
    disconnected: int = 0
    latency: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    size: Histogram = field(default_factory=lambda: Histogram(BYTES))
