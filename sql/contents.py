"""Finds what clients want stored of contents (`sql.personal.withheld`), as they are configured now."""

import time
from collections.abc import Collection, Mapping

from psycopg_pool import AsyncConnectionPool

from sql.hour_keys import HourKeys
from sql.naming import Naming
from sql.personal.withheld import Contents, contents_of
from sql.pool import Connection
from sql.sealing import Seal

#: Seconds after which a client is looked at again, and most clients that are kept in memory.
LIFETIME, MOST = 2.0, 10_000


class ContentsStore(Naming):
    """The contents of clients. All of a batch are looked up at once, at most every `LIFETIME` seconds."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        seal: Seal,
        hours: HourKeys | None = None,
        sessions: AsyncConnectionPool[Connection] | None = None,
    ) -> None:
        super().__init__(pool, seal, hours, sessions)
        #: What was found of each client, None for one that keeps everything, and until when it counts.
        self._contents: dict[str, tuple[float, Contents | None]] = {}

    async def contents(self, clients: Collection[str]) -> Mapping[str, Contents]:
        """Return what these clients want stored, without those that have always kept everything, as one without a configuration
        does."""
        # Counted from before the question, so that no answer gets older, however long it takes.
        now = time.monotonic()
        found = {client: known for client in clients if (known := self._contents.get(client)) and known[0] > now}
        if missing := [client for client in clients if client not in found]:
            configured = {
                row["client_id"]: contents_of(row["content"], row["former"])
                for row in await self._rows("contents", {"clients": missing})
            }
            asked = {client: (now + LIFETIME, configured.get(client)) for client in missing}
            if len(self._contents) >= MOST:
                self._contents.clear()
            self._contents |= asked
            found |= asked
        return {client: each for client, (_, each) in found.items() if each is not None}

    def forget_contents(self, client_id: str) -> None:
        """Look at a client again: this process has changed it."""
        self._contents.pop(client_id, None)
