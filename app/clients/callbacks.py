"""Clients' callbacks: what the configuration names, kept in step with the store, and the secrets that sign."""

import secrets
from typing import Any

from app.clients.configured import Clients, UnknownClient
from app.clients.seal import Seal
from schemas.events import TYPE_OF_DOTTED
from sql import EventStore
from sql.deliveries import REMOVED, WORKER
from webhooks.subscribers import GRACE, SECRET_BYTES, shown


class Callbacks:
    """The callbacks of all clients."""

    def __init__(self, store: EventStore, clients: Clients, seal: Seal) -> None:
        self._store, self._clients, self._seal = store, clients, seal

    async def of(self, client_id: str) -> dict[str, Any] | None:
        """The client's callback as the store has it (`sql.deliveries`), once that is what the configuration says; None
        where the configuration names none."""
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
        """Tell nothing more to a callback that the configuration names no longer; it begins again when it does."""
        await self._store.disable_callback(client_id, REMOVED)

    async def secrets(self, client_id: str) -> list[tuple[int, bytes]]:
        """What signs now, by version, the newest first; the first secret is made where there is none. Raises NoKey or
        Tampered (`app.clients.seal`)."""
        sealed = await self._store.callback_secrets(client_id)
        if not sealed:
            await self._add(client_id, WORKER, first=True)
            sealed = await self._store.callback_secrets(client_id)
        return [(version, self._seal.unseal(one, context(client_id))) for version, one in sealed]

    async def rotate(self, client_id: str, actor: str) -> str | None:
        """Make a new secret and return it, this once, as the client is shown it; those before it go on signing for
        a day. None where there is no callback. Raises NoKey."""
        if await self.of(client_id) is None:
            return None
        return await self._add(client_id, actor, first=False)

    async def _add(self, client_id: str, actor: str, *, first: bool) -> str | None:
        secret = secrets.token_bytes(SECRET_BYTES)
        sealed = self._seal.seal(secret, context(client_id))
        version = await self._store.add_secret(client_id, sealed, GRACE, actor, first=first)
        return shown(secret) if version is not None else None


def context(client_id: str) -> str:
    """What the secrets of a client's callback are sealed for."""
    return f"callback\x1f{client_id}"
