"""How often each caller may ask: a token bucket a caller, and the HTTP fields that say what is left."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass

#: Callers remembered at once. One that is forgotten begins with a full bucket.
REMEMBERED = 65536


@dataclass(frozen=True, slots=True)
class Taken:
    """The answer to one request: whether it may pass, how many more may, and the seconds until the bucket is full
    (`full`) and until one more may pass (`wait`)."""

    passes: bool
    left: int
    full: float
    wait: float


class Rates:
    """Lets each caller ask `per_second` times a second on average, and `burst` times at a stretch.

    `now` is a monotonic clock in seconds. Counts are of this process: with several processes behind a load balancer a
    caller has as many buckets.
    """

    def __init__(
        self, per_second: float, burst: int, *, most: int = REMEMBERED, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.per_second, self.burst = per_second, burst
        self._most, self._now = most, now
        #: Caller → tokens left and when that was counted; the caller who asked last is the last.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, caller: Hashable) -> Taken:
        """Take one token of the caller's, where there is one."""
        now = self._now()
        left, then = self._buckets.pop(caller, (float(self.burst), now))
        left = min(float(self.burst), left + (now - then) * self.per_second)
        passes = left >= 1 - 1e-9  # a caller who waited for exactly one must not miss it by a rounding
        left = max(0.0, left - passes)
        self._buckets[caller] = (left, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        wait = 0.0 if left >= 1 else (1 - left) / self.per_second
        return Taken(passes, int(left), (self.burst - left) / self.per_second, wait)

    def fields(self, taken: Taken) -> dict[str, str]:
        """The fields `RateLimit-Policy` and `RateLimit` of draft-ietf-httpapi-ratelimit-headers-09, and `Retry-After`
        (RFC 9110 section 10.2.3) where the request may not pass."""
        window = max(1, math.ceil(self.burst / self.per_second))
        fields = {
            "ratelimit-policy": f'"key";q={self.burst};w={window}',
            "ratelimit": f'"key";r={taken.left};t={math.ceil(taken.full)}',
        }
        return fields if taken.passes else fields | {"retry-after": str(max(1, math.ceil(taken.wait)))}
