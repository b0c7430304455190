"""Clients' configurations with their history, their accounts at providers, and the audit of both.

A version is a dict with `client_id`, `version`, `document`, `created_at`, `actor`; an account one with `client_id`,
`name`, `version`, `adapter`, `source`, `url`, `trusted`, `sealed` (bytes), `key_id`, `created_at`, `changed_at`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from sql.pool import Pooled
from sql.statements import statement

Version = dict[str, Any]
AccountRow = dict[str, Any]


class ClientsStore(Pooled):
    """What `app.clients.configured` reads, and what changes it. Every change is a row of `audit`, in its transaction."""

    async def client(self, client_id: str) -> Version | None:
        """The version that counts; None where the client has no configuration."""
        return await self._row("client", {"client_id": client_id})

    async def clients(self) -> list[dict[str, Any]]:
        """All clients that have a configuration (else `version` is 0 and `document` None) or `accounts` (how many)."""
        return await self._rows("clients")

    async def client_versions(self, client_id: str, *, before: int | None = None, limit: int = 50) -> list[Version]:
        """At most `limit` versions, newest first, those below `before`."""
        return await self._rows("client_versions", {"client_id": client_id, "before": before, "limit": limit})

    async def set_client(
        self, client_id: str, document: Mapping[str, Any], actor: str, expected: int | None = None
    ) -> Version:
        """Make the document the client's next version; returns the version that counts now, with `added`, the version
        `before`, and the document `replaced`.

        Nothing is added (`added` False) where the document is what counts already, and where `expected` is not the
        version that counts (0: there is none). Of several at once, each is judged by what the one before it left.
        """
        parameters = {
            "client_id": client_id,
            "document": Jsonb(document),
            "actor": actor,
            "expected": expected,
        }
        return await self._locked("set_client", parameters)

    async def account(self, client_id: str, name: str) -> AccountRow | None:
        """One account."""
        return await self._row("account", {"client_id": client_id, "name": name})

    async def accounts(self, client_id: str | None = None) -> list[AccountRow]:
        """A client's accounts by name; without one, those of all clients."""
        return await self._rows("accounts", {"client_id": client_id})

    async def last_account_change(self) -> int:
        """The place of the last change of any account; 0 where there was none."""
        (row,) = await self._rows("last_account_change")
        return int(row["change"])

    async def account_changes(self, after: int, limit: int = 1000) -> list[AccountRow]:
        """At most `limit` accounts that changed after a place, in the order of their changes (`change`): each once, as it is
        now. One that is gone has no `sealed`."""
        return await self._rows("account_changes", {"after": after, "limit": limit})

    async def set_account(
        self,
        client_id: str,
        name: str,
        *,
        adapter: str,
        source: str,
        url: str | None,
        trusted: bool,
        sealed: bytes,
        key_id: str,
        settings: Sequence[str],
        actor: str,
    ) -> AccountRow:
        """Add or replace an account; `settings` are the names of what is sealed, for the audit."""
        parameters = {
            "client_id": client_id,
            "name": name,
            "adapter": adapter,
            "source": source,
            "url": url,
            "trusted": trusted,
            "sealed": sealed,
            "key_id": key_id,
            "settings": list(settings),
            "actor": actor,
        }
        return await self._locked("set_account", parameters)

    async def reseal_account(self, row: AccountRow, sealed: bytes, key_id: str, actor: str) -> bool:
        """Put the settings of an account, as `row` has it, under another key; False where it was changed meanwhile."""
        parameters = {name: row[name] for name in ("client_id", "name", "version")}
        parameters |= {"sealed": sealed, "key_id": key_id, "actor": actor}
        return bool(await self._run("reseal_account", parameters))

    async def remove_account(self, client_id: str, name: str, actor: str, *, spare: bool = False) -> dict[str, Any]:
        """Remove an account: `removed` and `existed` say what came of it. It stays while the configuration that counts
        has `channels` by it, unless it can `spare` it (the settings have one of this name)."""
        return await self._locked(
            "remove_account", {"client_id": client_id, "name": name, "actor": actor, "spare": spare}
        )

    async def audit(self, client_id: str, limit: int = 100) -> list[dict[str, Any]]:
        """What was changed, newest first: `position`, `at`, `actor`, `action`, `subject`, `detail`."""
        return await self._rows("audit", {"client_id": client_id, "limit": limit})

    async def _locked(self, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """One row of a statement, while no other changes the same client."""
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(statement("client_lock"), {"client_id": parameters["client_id"]}, prepare=True)
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement(name), parameters, prepare=True)
            row = await cursor.fetchone()
        assert row is not None
        return row
