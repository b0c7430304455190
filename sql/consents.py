"""Reads recipients' consents, and stores their profiles. Only appending an event changes a consent."""

from typing import Any

from schemas.events import Handle
from schemas.numbering import canonical
from sql.pool import Pooled


class Consenting(Pooled):
    """Consents and profiles of recipients. All methods raise psycopg.OperationalError while the database is away."""

    async def consents(self, client_id: str, handle: Handle) -> list[dict[str, Any]]:
        """Return the recipient's consents, one row for each channel, in order: `channel` (`*`: all channels),
        `opted_out`, and the last time and the basis of the opt-out and of the opt-in, None if there was none:
        `opted_out_at`, `opted_out_basis`, `opted_in_at`, `opted_in_basis`. Providers' own lists are not included."""
        return await self._rows("consents", _handle_of(client_id, handle))

    async def profile(self, client_id: str, handle: Handle) -> dict[str, Any] | None:
        """Return the recipient's profile: `zone` (a name of the IANA database, or None) and `changed_at`; None if the
        client has not set one."""
        return await self._row("profile", _handle_of(client_id, handle))

    async def set_profile(self, client_id: str, handle: Handle, *, zone: str | None) -> dict[str, Any]:
        """Set the recipient's time zone, None to forget it; return the profile."""
        (row,) = await self._run("set_profile", _handle_of(client_id, handle) | {"zone": zone})
        return row


def _handle_of(client_id: str, handle: Handle) -> dict[str, Any]:
    handle = canonical(handle)
    return {"client_id": client_id, "kind": handle.kind, "value": handle.value}
