"""Reads recipients' consents, and stores their profiles. Only appending an event changes a consent."""

from typing import Any

from schemas.events import Handle
from sql.append import Appending
from sql.handles import owned_by
from sql.pool import Connection
from sql.statements import statement
from sql.suppressing import BASIS, Suppressing


class Consenting(Appending, Suppressing):
    """Consents and profiles of recipients. All methods raise psycopg.OperationalError while the database is away."""

    async def consents(self, client_id: str, handle: Handle) -> list[dict[str, Any]]:
        """Return the recipient's consents, one row for each channel, in order: `channel` (`*`: all channels),
        `opted_out`, and the last time and the basis of the opt-out and of the opt-in, None if there was none:
        `opted_out_at`, `opted_out_basis`, `opted_in_at`, `opted_in_basis`. Providers' own lists are not included."""
        rows = await self._rows("consents", await self._key_of(client_id, handle))
        if client_id not in self._secrets:  # a client that has no handles has no suppressions
            return rows
        found = {row["channel"]: row for row in rows}
        for each in await self.suppressed([owned_by(client_id, handle)]):
            row = found.setdefault(
                each.channel, dict.fromkeys(("opted_in_at", "opted_in_basis"), None) | {"channel": each.channel}
            )
            if not row.get("opted_out"):
                row |= {"opted_out": True, "opted_out_at": each.since, "opted_out_basis": BASIS}
        return [found[channel] for channel in sorted(found)]

    async def profile(self, client_id: str, handle: Handle) -> dict[str, Any] | None:
        """Return the recipient's profile: `zone` (a name of the IANA database, or None) and `changed_at`; None if the
        client has not set one."""
        return await self._row("profile", await self._key_of(client_id, handle))

    async def set_profile(self, client_id: str, handle: Handle, *, zone: str | None) -> dict[str, Any]:
        """Set the recipient's time zone, None to forget it; return the profile."""
        owned = owned_by(client_id, handle)

        async def once() -> dict[str, Any]:
            id = (await self._handles([owned]))[owned].id
            given = {"client_id": client_id, "handle_id": id, "handles": [id], "zone": zone}
            return await self.transact(lambda connection: work(connection, given))

        async def work(connection: Connection, given: dict[str, Any]) -> dict[str, Any]:
            row = await (await connection.execute(statement("set_profile"), given, prepare=True)).fetchone()
            assert row is not None
            return row

        return await self.afresh(once)
