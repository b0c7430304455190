"""Finds how much of contents clients want stored (`sql.personal.withheld`), by their present configuration."""

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
    """The modes of clients' contents. All clients of a batch are looked up at once, at most every `LIFETIME` seconds."""

    def __init__(
        self,
        pool: AsyncConnectionPool[Connection],
        seal: Seal,
        hours: HourKeys | None = None,
        sessions: AsyncConnectionPool[Connection] | None = None,
    ) -> None:
        super().__init__(pool, seal, hours, sessions)
        #: For each client the time until which the answer counts, and the modes that were found; None if it keeps everything.
        self._contents: dict[str, tuple[float, Contents | None]] = {}

    async def contents(self, clients: Collection[str]) -> Mapping[str, Contents]:
        """Return the modes of these clients; clients that have always kept everything are left out, as are clients without a
        configuration."""
        # The time before the query counts, so that no answer is used for longer, however long the query takes.
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
