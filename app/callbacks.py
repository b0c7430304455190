"""Clients' callbacks: what the configuration names, kept in step with the store, and the secrets that sign."""

import secrets
from typing import Any, Protocol

from app.sending.seal import Seal
from schemas.events import TYPE_OF_DOTTED
from sql import EventStore
from sql.deliveries import REMOVED
from webhooks.subscribers import GRACE, SECRET_BYTES, shown


class Configured(Protocol):
    """A callback as a client's configuration has it: its URL, and the dotted types that it is told (none for all)."""

    @property
    def url(self) -> str: ...
    @property
    def types(self) -> tuple[str, ...]: ...


class Configurations(Protocol):
    """Who knows them. A client that nothing is known of has no callback."""

    async def callback(self, client_id: str) -> Configured | None: ...


class Callbacks:
    """The callbacks of all clients."""

    def __init__(self, store: EventStore, configurations: Configurations, seal: Seal) -> None:
        self._store, self._configurations, self._seal = store, configurations, seal

    async def of(self, client_id: str) -> dict[str, Any] | None:
        """The client's callback as the store has it (`sql.deliveries`), once that is what the configuration says; None
        where the configuration names none."""
        configured = await self._configurations.callback(client_id)
        if configured is None:
            return None
        types = [TYPE_OF_DOTTED.get(type, type) for type in configured.types]
        row = await self._store.callback(client_id)
        if row is None or (row["url"], row["types"], row["disabled_reason"] == REMOVED) != (configured.url, types, False):
            await self._store.set_callback(client_id, configured.url, types)
            row = await self._store.callback(client_id)
        return row

    async def removed(self, client_id: str) -> None:
        """Tell nothing more to a callback that the configuration names no longer; it begins again when it does."""
        await self._store.disable_callback(client_id, REMOVED)

    async def secrets(self, client_id: str) -> list[tuple[int, bytes]]:
        """What signs now, by version, the newest first; the first secret is made where there is none. Raises NoKey or
        Tampered (`app.sending.seal`)."""
        sealed = await self._store.callback_secrets(client_id)
        if not sealed:
            await self._add(client_id, first=True)
            sealed = await self._store.callback_secrets(client_id)
        return [(version, self._seal.unseal(one, _context(client_id))) for version, one in sealed]

    async def rotate(self, client_id: str) -> str | None:
        """Make a new secret and return it, this once, as the client is shown it; those before it go on signing for
        a day. None where there is no callback. Raises NoKey."""
        if await self.of(client_id) is None:
            return None
        return await self._add(client_id, first=False)

    async def _add(self, client_id: str, *, first: bool) -> str | None:
        secret = secrets.token_bytes(SECRET_BYTES)
        sealed = self._seal.seal(secret, _context(client_id))
        version = await self._store.add_secret(client_id, sealed, GRACE, first=first)
        return shown(secret) if version is not None else None


def _context(client_id: str) -> str:
    return f"callback\x1f{client_id}"
