"""What the door counts: plain integers, added to on the hot path and read when metrics are asked for."""

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field

#: Upper bounds: seconds from request to answer, and bytes of a body.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BYTES = (256, 512, 1024, 2048, 4096, 16384, 65536, 262144, 1048576)


class Histogram:
    """Counts per bucket (`bounds`, then beyond), and the sum of what was observed."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Count one."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


@dataclass(slots=True)
class Counters:
    """Of one door, since its process started."""

    #: Webhooks kept, by source.
    kept: Counter[str] = field(default_factory=Counter)
    #: Requests that ended otherwise, by status.
    answered: Counter[int] = field(default_factory=Counter)
    #: Refused, by (source, status); the source is `-` where none is known.
    refused: Counter[tuple[str, int]] = field(default_factory=Counter)
    #: The caller went away before its request was whole.
    disconnected: int = 0
    latency: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    size: Histogram = field(default_factory=lambda: Histogram(BYTES))
