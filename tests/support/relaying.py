"""The relay's session for a test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sql.relay import RelaySession, RelayStore


@asynccontextmanager
async def relaying(store: RelayStore) -> AsyncIterator[RelaySession]:
    """Yield the relay once its lock is free: the server takes a moment to end the session of the relay before."""
    while True:
        async with store.relay() as session:
            if session is not None:
                yield session
                return
        await asyncio.sleep(0.01)
