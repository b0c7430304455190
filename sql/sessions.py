"""Stores the sessions of people who logged in. Only a hash of a session's secret is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sql.origin import noted
from sql.pool import Pooled


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long sessions last without a request (`idle`) and in all (`absolute`); how long a secret is valid (`rotate`), and how long the
    previous secret stays valid (`overlap`)."""

    idle: timedelta
    absolute: timedelta
    rotate: timedelta
    overlap: timedelta

    @property
    def parameters(self) -> dict[str, timedelta]:
        """The parameters of statements."""
        return {"idle": self.idle, "absolute": self.absolute, "rotate": self.rotate, "overlap": self.overlap}


class SessionsStore(Pooled):
    """The statements of sessions. A statement that starts or ends a session writes the entry of the audit itself."""

    async def start_session(
        self, session: dict[str, Any], hash: bytes, before: bytes | None, lifetimes: Lifetimes
    ) -> None:
        """Add a session (`id`, `issuer`, `subject`, `sid`, `holder`, `clients`, `scopes`); end the session of the secret `before`."""
        parameters = session | {"hash": hash, "before": before} | lifetimes.parameters | noted()
        await self._run_only("start_session", parameters)

    async def session_of(self, hash: bytes, lifetimes: Lifetimes) -> dict[str, Any] | None:
        """Return the session of a secret: `id`, `issuer`, `subject`, `holder`, `clients`, `scopes`, `created_at`; whether the secret is the
        `former` one, and whether it is `still_good`; whether the session is `alive`, and `due` for another secret."""
        return await self._row("session_of", {"hash": hash} | lifetimes.parameters)

    async def session_alive(self, id: UUID, lifetimes: Lifetimes) -> bool:
        """Return whether a session has not ended."""
        return await self._row("session_alive", {"id": id} | lifetimes.parameters) is not None

    async def rotate_session(self, id: UUID, hash: bytes, new: bytes, lifetimes: Lifetimes) -> bool:
        """Give a session another secret; False if another request did, or it ended."""
        return bool(await self._run("rotate_session", {"id": id, "hash": hash, "new": new} | lifetimes.parameters))

    async def end_session(
        self, why: str, *, id: UUID | None = None, hash: bytes | None = None, actor: str | None = None
    ) -> str | None:
        """End a session by its id or its secret's hash; return its issuer, None if there is none. `actor`: by default its person."""
        parameters = noted() | {"why": why, "id": id, "hash": hash, "actor": actor}
        rows: Sequence[dict[str, Any]] = await self._run("end_session", parameters)
        return rows[0]["issuer"] if rows else None

    async def sessions_of_client(
        self, client_id: str, holder: str | None, after: tuple[datetime, UUID] | None, limit: int, lifetimes: Lifetimes
    ) -> list[dict[str, Any]]:
        """Return the sessions that have not ended, of people who may act for a client, or of one `holder`, the latest first, after the
        `created_at` and `id` of a session: `id`, `issuer`, `holder`, `scopes`, `created_at`, `used_at`."""
        after_at, after_id = after or (None, None)
        given = {"client_id": client_id, "holder": holder, "after_at": after_at, "after_id": after_id, "limit": limit}
        return await self._rows("sessions_of_client", given | lifetimes.parameters)

    async def end_session_of_client(self, client_id: str, id: UUID) -> bool:
        """End a session of somebody who may act for a client; return whether there was one."""
        return bool(await self._run("end_session_of_client", {"client_id": client_id, "id": id} | noted()))

    async def end_sessions_of(
        self, issuer: str, said: datetime, actor: str, *, subject: str | None, sid: str | None
    ) -> int:
        """End the sessions of a subject, of an issuer's own session (`sid`), or of both, that began before the issuer's request; return how
        many. A subject or a `sid` must be given."""
        assert subject is not None or sid is not None
        parameters = noted() | {"issuer": issuer, "said": said, "actor": actor, "subject": subject, "sid": sid}
        return len(await self._run("end_sessions_of", parameters))
