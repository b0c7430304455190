"""Keeps for a short time the values that this process sealed, since its relay reads the same values back at once: finding a value here takes
a tenth of the time of decrypting it.

No value is kept for longer than a derived key, and all are forgotten when this process erases a handle. So an erased value is gone from
here as soon as its key is gone from memory.
"""

import time
from collections.abc import Callable
from typing import Any

import orjson

#: The place of a value, and the value as it is sealed.
At = tuple[bytes, str | bytes]
#: Characters of sealed values in each of two generations; and the longest that is kept.
MOST, LONGEST = 8 << 20, 16 << 10


class Recent:
    """Values by their place and their sealed form, in two generations: the older is forgotten when the younger is full, or half a
    `lifetime` (seconds) old. Keeps nothing until `on` is set. `now`: a monotonic clock in seconds."""

    def __init__(self, lifetime: float, *, most: int = MOST, now: Callable[[], float] = time.monotonic) -> None:
        self.on = False
        self._half, self._most, self._now = lifetime / 2, most, now
        #: Texts as they are, other values as JSON, since the receiver could change a list or an object.
        self._young: dict[At, str | bytes] = {}
        self._old: dict[At, str | bytes] = {}
        self._size = 0
        #: When the older and the younger generation began.
        self._before = self._since = now()

    def __len__(self) -> int:
        """Return how many values are kept."""
        return len(self._young) + len(self._old)

    def keep(self, place: bytes, sealed: str | bytes, value: str | bytes) -> None:
        """Keep a text, or the JSON of another value."""
        if not self.on or len(sealed) > LONGEST:
            return
        self._young[place, sealed] = value
        self._size += len(sealed)
        if self._size > self._most:
            self._turn()

    def get(self, at: At) -> Any:
        """Return the value; None if it is not kept."""
        value = self._young.get(at) or self._old.get(at)
        return orjson.loads(value) if value.__class__ is bytes else value

    def clear(self) -> None:
        """Forget all."""
        self._young, self._old, self._size = {}, {}, 0
        self._before = self._since = self._now()

    def expire(self) -> None:
        """Forget values that are too old. Call this before values are looked for."""
        now = self._now()
        if now - self._since >= 2 * self._half:
            self.clear()
            return
        if now - self._since >= self._half:
            self._turn()
        # The time at which a generation began counts, not the time at which it was replaced: while Kafka is away, nothing is looked for.
        if now - self._before >= 2 * self._half:
            self._old = {}

    def _turn(self) -> None:
        self._old, self._young, self._size = self._young, {}, 0
        self._before, self._since = self._since, self._now()
