"""The tokens that came with a signature of them alone: each is good for what it first came with, and for its redelivery.

This is the door's own memory, bounded and of one process, so that it answers while the database is away. It refuses what
it can; what another door saw, or one that has ended, is found by the worker, whose memory is the database's
(`used_tokens`).
"""

from collections import OrderedDict
from datetime import datetime
from typing import Any

from adapters.contract.receiving import Once, Request

#: Tokens that are remembered, the youngest; of about 200 bytes each.
MOST = 65_536


def once_of(adapter: Any, request: Request) -> Once | None:
    """What must not come again with another body; None where the signature covers all of the request."""
    once = getattr(adapter, "once", None)
    found: Once | None = None if once is None else once(request)
    return found


class Used:
    """The tokens that this door saw."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._seen: OrderedDict[tuple[str, bytes], tuple[bytes, datetime]] = OrderedDict()

    def first(self, source: str, once: Once, now: datetime) -> bool:
        """Whether the token is new at this source, or comes with what it came with before."""
        key = (source, once.token)
        seen = self._seen.get(key)
        if seen is not None and seen[1] > now:
            return seen[0] == once.digest
        self._seen[key] = (once.digest, once.until)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True
