"""Detects replays for providers whose signature covers a token but not the body: a token is valid for one body only.

This memory is bounded and belongs to one process, so that it works while the database is unreachable. Replays at another
process, or after a restart, are detected by the worker in the table `used_tokens`.
"""

from collections import OrderedDict
from datetime import datetime

from adapters.contract import Adapter, Once, Request

#: How many tokens are remembered, newest first, at about 200 bytes each.
MOST = 65_536


def once_of(adapter: Adapter, request: Request) -> Once | None:
    """Return the token that may be used once, or None if the signature covers the whole request."""
    return None if adapter.once is None else adapter.once(request)


class Used:
    """The tokens that this process has seen."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._seen: OrderedDict[tuple[str, bytes], tuple[bytes, datetime]] = OrderedDict()

    def first(self, source: str, once: Once, now: datetime) -> bool:
        """Return whether the token is new at this source, or comes with the same content as before."""
        key = (source, once.token)
        seen = self._seen.get(key)
        if seen is not None and seen[1] > now:
            return seen[0] == once.digest
        self._seen[key] = (once.digest, once.until)
        if len(self._seen) > self._most:
            self._seen.popitem(last=False)
        return True
