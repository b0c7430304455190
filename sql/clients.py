"""Stores clients' configurations with their history, and clients' accounts at providers.

A version is a dict with `client_id`, `version`, `document`, `created_at`, `actor`; an account is a dict with `client_id`,
`name`, `version`, `adapter`, `source`, `url`, `trusted`, `sealed` (bytes), `key_id`, `created_at`, `changed_at`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg.types.json import Jsonb

from sql.contents import ContentsStore
from sql.origin import noted
from sql.statements import statement

Version = dict[str, Any]
AccountRow = dict[str, Any]


class ClientsStore(ContentsStore):
    """Clients and accounts. Every change adds a row to `audit`, in the same transaction."""

    async def client(self, client_id: str) -> Version | None:
        """Return the current version; None if the client has no configuration."""
        return await self._row("client", {"client_id": client_id})

    async def clients(self) -> list[dict[str, Any]]:
        """Return all clients with a configuration or accounts: `accounts` is the number of accounts; without a
        configuration `version` is 0 and `document` None."""
        return await self._rows("clients")

    async def client_versions(self, client_id: str, *, before: int | None = None, limit: int = 50) -> list[Version]:
        """Return at most `limit` versions below `before`, newest first."""
        return await self._rows("client_versions", {"client_id": client_id, "before": before, "limit": limit})

    async def set_client(
        self, client_id: str, document: Mapping[str, Any], actor: str, expected: int | None = None
    ) -> Version:
        """Add the document as the client's next version; return the version that is current then, with `added`, the
        version `before`, and the document `replaced`.

        Nothing is added (`added` is False) if the document is the current one, or if `expected` is not the current
        version (0: none). Concurrent calls are serialised.
        """
        parameters = {
            "client_id": client_id,
            "document": Jsonb(document),
            "actor": actor,
            "expected": expected,
        }
        version = await self._locked("set_client", parameters)
        self.forget_contents(client_id)
        return version

    async def account(self, client_id: str, name: str) -> AccountRow | None:
        """Return one account, or None."""
        return await self._row("account", {"client_id": client_id, "name": name})

    async def accounts(self, client_id: str | None = None) -> list[AccountRow]:
        """Return a client's accounts in order of their names; without a client, those of all clients."""
        return await self._rows("accounts", {"client_id": client_id})

    async def last_account_change(self) -> int:
        """Return the number of the last change of any account; 0 if there was none."""
        (row,) = await self._rows("last_account_change")
        return int(row["change"])

    async def account_changes(self, after: int, limit: int = 1000) -> list[AccountRow]:
        """Return at most `limit` accounts that changed after the change `after`, in the order of their changes
        (`change`). Each account comes once, in its present state. `sealed` is None for a removed account."""
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
        """Add or replace an account; `settings` are the names of the sealed settings, for the audit log."""
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
        """Replace the sealed settings of an account, encrypted with another key; False if the account was changed since
        `row` was read."""
        parameters = {name: row[name] for name in ("client_id", "name", "version")}
        parameters |= {"sealed": sealed, "key_id": key_id, "actor": actor}
        parameters |= noted()
        return bool(await self._run("reseal_account", parameters))

    async def remove_account(self, client_id: str, name: str, actor: str, *, spare: bool = False) -> dict[str, Any]:
        """Remove an account; return `removed`, `existed`, and the `channels` that use it in the current configuration.
        An account that such channels use is not removed, unless `spare` says that the settings have another account of
        this name."""
        return await self._locked(
            "remove_account", {"client_id": client_id, "name": name, "actor": actor, "spare": spare}
        )

    async def _locked(self, name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Run a statement under the lock of the client; return its one row."""
        async with self._transaction() as connection:
            await connection.execute(statement("client_lock"), {"client_id": parameters["client_id"]}, prepare=True)
            cursor = connection.cursor(binary=True)
            await cursor.execute(statement(name), {**parameters, **noted()}, prepare=True)
            row = await cursor.fetchone()
        assert row is not None
        return row
