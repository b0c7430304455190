"""Keeps the clients' peppers, by which the store finds handles (`sql.handles`)."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from schemas.events import Handle
from sql.handles import CONTEXT, Owned, Places, digest_of, listed, new_pepper, owned_by, placed
from sql.messages import Reference
from sql.parameters import always_written, json
from sql.pool import Pooled
from sql.rows import Row
from sql.sealing import NoKey, Tampered

#: Most peppers kept in memory.
MOST = 10_000


class Naming(Pooled):
    """The part of the store that finds handles. Its methods raise sql.sealing.NoKey where no key is configured, or not the one
    that encrypted a pepper, and Tampered where a pepper was changed."""

    async def _named(self, rows: Sequence[Row], places: Places | None = None) -> dict[str, Any]:
        """Return the parameters `handles`, `own` and `other` of a batch of events. `places`: other handles, which are listed
        too."""
        places = places or Places()
        parameters = placed(rows, places)
        return parameters | {"handles": await self._listed(places.owned)}

    async def _listed(self, owned: Collection[Owned]) -> Jsonb:
        """Return the parameter `handles` for some handles; makes the peppers of new clients."""
        return listed(owned, await self._peppers_of({client for client, *_ in owned}))

    async def _digest(self, client_id: str, handle: Handle) -> bytes:
        """Return the digest by which a handle is found. The handle of a client without a pepper is unknown: its digest is
        empty, which is nobody's."""
        if client_id not in self._peppers:
            self._open(await self._rows("peppers", {"clients": [client_id]}))
        pepper = self._peppers.get(client_id)
        return digest_of(owned_by(client_id, handle), pepper) if pepper is not None else b""

    async def _key_of(self, client_id: str, handle: Handle) -> dict[str, Any]:
        """Return the parameters by which a query finds a handle."""
        return {"client_id": client_id, "digest": await self._digest(client_id, handle)}

    async def _references(self, references: Sequence[Reference]) -> Jsonb:
        """Return the parameter `references` that queries read: each with the digest of its recipient in place of that."""
        return json(
            always_written(
                [
                    (*each[:-1], each.recipient and (await self._digest(each.client, each.recipient)).hex())
                    for each in references
                ]
            )
        )

    async def locked_clients(self, clients: Iterable[str]) -> list[str]:
        """Return those of the clients whose pepper cannot be decrypted, so that nothing of theirs can be written."""
        found = []
        for client in sorted(clients):
            try:
                await self._peppers_of({client})
            except (NoKey, Tampered):
                found.append(client)
        return found

    async def sealed_peppers(self) -> list[dict[str, Any]]:
        """Return the clients' peppers as they are encrypted: `client_id` and `sealed`."""
        return await self._rows("all_peppers")

    async def reseal_peppers(self) -> int:
        """Encrypt the peppers of all clients with the first key; return how many were encrypted with another."""
        done = 0
        for row in await self.sealed_peppers():
            again = self._seal.renewed(row["sealed"], CONTEXT.format(row["client_id"]))
            if again is not None:
                done += len(await self._run("reseal_pepper", row | {"again": again}))
        return done

    async def _peppers_of(self, clients: set[str]) -> dict[str, bytes]:
        while missing := [client for client in clients if client not in self._peppers]:
            # A second look sees what another writer made meanwhile.
            sealed = [self._seal.seal(new_pepper(), CONTEXT.format(client)) for client in missing]
            self._open(await self._run("make_peppers", {"clients": missing, "sealed": sealed}))
        return self._peppers

    def _open(self, rows: Iterable[dict[str, Any]]) -> None:
        if len(self._peppers) >= MOST:
            self._peppers.clear()
        for row in rows:
            self._peppers[row["client_id"]] = self._seal.unseal(row["sealed"], CONTEXT.format(row["client_id"]))
