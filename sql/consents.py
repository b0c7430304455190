"""What recipients want, and what clients told of them. A consent is changed by appending an event, and in no other way."""

from typing import Any

from schemas.events import Handle
from sql.pool import Pooled


class Consenting(Pooled):
    """What `app.sending` and the API know of a recipient. All raise psycopg.OperationalError while the database is away."""

    async def consents(self, client_id: str, handle: Handle) -> list[dict[str, Any]]:
        """A row for each channel that the recipient said something of, in order: `channel` (`*`: all of them),
        `opted_out`, and the last time and the basis of either word, None where it was never said: `opted_out_at`,
        `opted_out_basis`, `opted_in_at`, `opted_in_basis`. What a provider knows of its lists is not among them."""
        return await self._rows("consents", _whose(client_id, handle))

    async def profile(self, client_id: str, handle: Handle) -> dict[str, Any] | None:
        """What the client told of the recipient: `zone` (a name of the IANA database, or None) and `changed_at`; None
        where it told nothing."""
        return await self._row("profile", _whose(client_id, handle))

    async def set_profile(self, client_id: str, handle: Handle, *, zone: str | None) -> dict[str, Any]:
        """Note the recipient's zone, None to forget it; returns the profile."""
        (row,) = await self._run("set_profile", _whose(client_id, handle) | {"zone": zone})
        return row


def _whose(client_id: str, handle: Handle) -> dict[str, Any]:
    return {"client_id": client_id, "kind": handle.kind, "value": handle.value}
