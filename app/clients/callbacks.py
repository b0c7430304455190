"""Clients' callbacks: keeps the store in step with the configuration, and their signing secrets."""

import secrets
from typing import Any

from app.clients.configured import Clients, UnknownClient
from schemas.events import TYPE_OF_DOTTED
from sql import EventStore
from sql.deliveries import REMOVED, WORKER
from sql.sealing import Seal
from webhooks.subscribers import GRACE, SECRET_BYTES, shown


class ClientCallbacks:
    """The callbacks of all clients."""

    def __init__(self, store: EventStore, clients: Clients, seal: Seal) -> None:
        self._store, self._clients, self._seal = store, clients, seal

    async def of(self, client_id: str) -> dict[str, Any] | None:
        """Return the client's callback (a row, see `sql.deliveries`), brought in step with the configuration; None where that
        has none."""
        try:
            configured = (await self._clients.client(client_id)).callback
        except UnknownClient:
            configured = None
        if configured is None:
            return None
        types = [TYPE_OF_DOTTED.get(type, type) for type in configured.types]
        row = await self._store.callback(client_id)
        wanted = (configured.url, types, configured.concurrency)
        if row is None or (row["url"], row["types"], row["concurrency"]) != wanted or row["disabled_reason"] == REMOVED:
            await self._store.set_callback(client_id, *wanted)
            row = await self._store.callback(client_id)
        return row

    async def removed(self, client_id: str) -> None:
        """Disable a callback that is no longer in the configuration; it is enabled when it is there again."""
        await self._store.disable_callback(client_id, REMOVED)

    async def secrets(self, client_id: str) -> list[tuple[int, bytes]]:
        """Return the secrets that sign now, by version, the newest first; make the first one. Raises NoKey or Tampered
        (`sql.sealing`)."""
        sealed = await self._store.callback_secrets(client_id)
        if not sealed:
            await self._add(client_id, WORKER, first=True)
            sealed = await self._store.callback_secrets(client_id)
        return [(version, self._seal.unseal(one, context(client_id))) for version, one in sealed]

    async def rotate(self, client_id: str, actor: str) -> str | None:
        """Make a new secret and return it, in the form for the client, this once; older ones sign for another day. None where
        there is no callback. Raises NoKey."""
        if await self.of(client_id) is None:
            return None
        return await self._add(client_id, actor, first=False)

    async def _add(self, client_id: str, actor: str, *, first: bool) -> str | None:
        secret = secrets.token_bytes(SECRET_BYTES)
        sealed = self._seal.seal(secret, context(client_id))
        version = await self._store.add_secret(client_id, sealed, GRACE, actor, first=first)
        return shown(secret) if version is not None else None


def context(client_id: str) -> str:
    """Return the encryption context of the secrets of a client's callback."""
    return f"callback\x1f{client_id}"
