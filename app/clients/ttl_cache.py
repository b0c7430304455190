"""A cache with a time-to-live: concurrent look-ups of one key are made once."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """Keeps at most `most` answers of `ask`, each for `ttl` seconds (`nothing_ttl`, if it is None).

    An error of `ask` is raised to all who wait for it, and not kept. `now`: a monotonic clock in seconds.
    """

    def __init__(
        self,
        ask: Callable[[K], Awaitable[V]],
        ttl: float,
        most: int = 4096,
        now: Callable[[], float] = time.monotonic,
        *,
        nothing_ttl: float | None = None,
    ) -> None:
        self._ask, self._ttl, self._most, self._now = ask, ttl, most, now
        self._nothing_ttl = ttl if nothing_ttl is None else nothing_ttl
        self._known: OrderedDict[K, tuple[float, V]] = OrderedDict()
        self._asked: dict[K, asyncio.Task[V]] = {}

    def __len__(self) -> int:
        """Return how many answers are kept."""
        return len(self._known)

    async def get(self, key: K) -> V:
        """Return the answer, at most `ttl` seconds old."""
        if (known := self._known.get(key)) is not None and self._now() < known[0]:
            self._known.move_to_end(key)
            return known[1]
        if (task := self._asked.get(key)) is None:
            task = self._asked[key] = asyncio.create_task(self._answer(key))
            task.add_done_callback(lambda done: self._answered(key, done))
        # Shielded: a caller that is cancelled must not cancel the question of the others.
        return await asyncio.shield(task)

    def last(self, key: K) -> V | None:
        """Return the last answer, however old, or None."""
        known = self._known.get(key)
        return known[1] if known else None

    def forget(self, key: K) -> None:
        """Ask again next time, also if the question is under way: its answer may be from before a change."""
        self._known.pop(key, None)
        self._asked.pop(key, None)

    def clear(self) -> None:
        """Forget all answers, as `forget` does."""
        self._known.clear()
        self._asked.clear()

    def _answered(self, key: K, done: asyncio.Task[V]) -> None:
        if self._asked.get(key) is done:
            del self._asked[key]
        if not done.cancelled():
            done.exception()  # retrieved, as all who waited for it may be gone

    async def _answer(self, key: K) -> V:
        # Counted from before the question, so that no answer gets older than `ttl` however long it takes.
        asked = self._now()
        value = await self._ask(key)
        if self._asked.get(key) is asyncio.current_task():
            self._known[key] = (asked + (self._nothing_ttl if value is None else self._ttl), value)
            self._known.move_to_end(key)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return value
