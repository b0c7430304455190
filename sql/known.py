"""Keeps for a short time which id and salt a client's handle has, so that most events need no look-up."""

import time
from collections import OrderedDict
from collections.abc import Callable

from sql.handles import Known, Owned

#: Most handles that are kept, and the seconds for which each is kept, after which an erased handle's salt is gone from memory too.
MOST, LIFETIME = 100_000, 30.0


class KnownHandles:
    """The handles that were found lately, in the order in which they were found. `now`: a monotonic clock in seconds."""

    def __init__(self, most: int = MOST, now: Callable[[], float] = time.monotonic) -> None:
        self._most, self._now = most, now
        self._kept: OrderedDict[Owned, Known] = OrderedDict()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def get(self, owned: Owned) -> Known | None:
        """Return the id and salt of a handle, None if they are not known."""
        kept = self._kept.get(owned)
        return kept if kept is not None and kept.until > self._now() else None

    def until(self) -> float:
        """Return the time until which an answer counts, if it is asked for now."""
        return self._now() + LIFETIME

    def keep(self, owned: Owned, known: Known) -> None:
        """Keep the id and salt of a handle, until its time is over."""
        self._kept[owned] = known
        self._kept.move_to_end(owned)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        """Forget all handles, since one of them was erased."""
        self._kept.clear()

    def expire(self) -> None:
        """Forget the handles whose time is over."""
        now = self._now()
        while self._kept and next(iter(self._kept.values())).until <= now:
            self._kept.popitem(last=False)
