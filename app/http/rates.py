"""Rate limits: a token bucket per caller, and the HTTP fields that report it."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

#: Callers kept at once. A caller that was evicted starts with a full bucket.
REMEMBERED = 65536


@dataclass(frozen=True, slots=True)
class Taken:
    """The result for one request: whether it passes, how many more would, and the seconds until the bucket is full (`full`)
    and until the next request passes (`wait`)."""

    passes: bool
    left: int
    full: float
    wait: float


class Rates:
    """Allows each caller `per_second` requests on average and bursts of `burst`.

    `now` is a monotonic clock in seconds. Each process has its own buckets.
    """

    def __init__(
        self, per_second: float, burst: int, *, most: int = REMEMBERED, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_second, self.burst = per_second, burst
        self._most, self._now = most, now
        #: Caller to tokens left and the time of that count, least recent caller first.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def change(self, per_second: float, burst: int) -> None:
        """Allow other rates from now on. A caller keeps the tokens that it has, up to the new burst."""
        self.per_second, self.burst = per_second, burst

    def take(self, caller: Hashable) -> Taken:
        """Take one of the caller's tokens, if there is one."""
        now = self._now()
        left, then = self._buckets.pop(caller, (float(self.burst), now))
        left = min(float(self.burst), left + (now - then) * self.per_second)
        passes = left >= 1 - 1e-9  # tolerate rounding for a caller who waited exactly long enough
        left = max(0.0, left - passes)
        self._buckets[caller] = (left, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        wait = 0.0 if left >= 1 else (1 - left) / self.per_second
        return Taken(passes, int(left), (self.burst - left) / self.per_second, wait)

    def give_back(self, caller: Hashable) -> None:
        """Give a caller a token back, of a request that does not count."""
        if caller in self._buckets:
            left, then = self._buckets[caller]
            self._buckets[caller] = (min(float(self.burst), left + 1), then)

    def fields(self, taken: Taken) -> dict[str, str]:
        """Return the fields `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-09, and `Retry-After`
        (RFC 9110 section 10.2.3) if the request does not pass."""
        window = max(1, math.ceil(self.burst / self.per_second))
        fields = {
            "ratelimit-policy": f'"key";q={self.burst};w={window}',
            "ratelimit": f'"key";r={taken.left};t={math.ceil(taken.full)}',
        }
        return fields if taken.passes else fields | {"retry-after": str(max(1, math.ceil(taken.wait)))}
