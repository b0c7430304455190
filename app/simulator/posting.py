"""The queue of a simulated provider's webhooks: posts each when it is due, and retries it until a 2xx response."""

import asyncio
import contextlib
import heapq
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx

from adapters.simulating import Post

#: Concurrent posts, and seconds before the first retry; the delay doubles with each.
AT_ONCE, AGAIN = 64, 0.5


@dataclass(slots=True)
class Tally:
    """Counts of what was done, and of the webhooks' responses by status."""

    counts: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)


class Posting:
    """A queue ordered by time. `public_url` is the webhook URL configured at the provider, `to` the URL to post to."""

    def __init__(self, signed: Callable[[Post], Post], public_url: str, to: str, tries: int, tally: Tally) -> None:
        self._signed, self._public_url, self._to, self._tries, self._tally = signed, public_url, to, tries, tally
        self._due: list[tuple[float, int, Post, int]] = []
        self._serial = 0
        self._more = asyncio.Event()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """The number of webhooks that are queued or being posted."""
        return len(self._due) + len(self._tasks)

    def put(self, at: float, post: Post, attempt: int = 1) -> None:
        """Queue a webhook for a time of the monotonic clock."""
        self._serial += 1
        heapq.heappush(self._due, (at, self._serial, post, attempt))
        self._more.set()

    async def run(self) -> None:
        """Post what is due, until cancelled."""
        async with httpx.AsyncClient(timeout=30, limits=httpx.Limits(max_connections=AT_ONCE)) as http:
            try:
                while True:
                    self._more.clear()
                    wait = self._due[0][0] - time.monotonic() if self._due else None
                    if wait is None or wait > 0:
                        # Not by wait_for: before Python 3.12 it swallows a cancellation that comes with a webhook.
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(wait):
                                await self._more.wait()
                        continue
                    _, _, post, attempt = heapq.heappop(self._due)
                    await self._places.acquire()
                    task = asyncio.create_task(self._post(http, post, attempt))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _post(self, http: httpx.AsyncClient, post: Post, attempt: int) -> None:
        try:
            signed = self._signed(post)
            try:
                answer = await http.request(
                    signed.method, self._place(signed.url), content=signed.body or None, headers=signed.headers
                )
                status = answer.status_code
            except httpx.TransportError:
                status = 0
            self._tally.statuses[str(status or "no answer")] += 1
            if 200 <= status < 300:
                self._tally.counts["acknowledged"] += 1
            elif attempt < self._tries:
                self._tally.counts["tried again"] += 1
                self.put(time.monotonic() + AGAIN * 2 ** (attempt - 1), post, attempt + 1)
            else:
                self._tally.counts["given up"] += 1
        finally:
            self._places.release()

    def _place(self, url: str) -> str:
        """Return the URL to post a webhook for `url` to; a URL of another host than the public one stays."""
        given, ours, real = urlsplit(url), urlsplit(self._public_url), urlsplit(self._to)
        if (given.scheme, given.netloc) != (ours.scheme, ours.netloc):
            return url
        path = real.path if given.path == ours.path else given.path
        return given._replace(scheme=real.scheme, netloc=real.netloc, path=path).geturl()
