"""Lets erasures wait until a second person approves them. Waiting erasures are in a table of their own, which no step of an erasure reads."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sql.erasures import ALL_HANDLES, ErasuresStore
from sql.origin import noted, origin
from sql.parties import parties_of, party_of, sameness
from sql.pool import Connection
from sql.statements import statement

ErasureRequest = dict[str, Any]


#: Why a right counts as withdrawn, by the codes of `withdrawn_right.sql`.
_WITHDRAWN = {
    "key": "the API key was revoked, has expired, or is not known",
    "session": "the session was ended, and not by its person",
    "log-in": "the person has logged in since without the right to erase",
}


class NotWaiting(Exception):
    """The erasure does not wait (any more); the message is for people. `state`: its state; `why`: the reason, if it was refused."""

    def __init__(self, state: str, why: str | None = None) -> None:
        words = {"approved": "was approved", "refused": "was refused", "expired": "was not approved in time"}
        super().__init__(f"This erasure {words.get(state, f'is {state}')}{f': {why}' if why else ''}.")
        self.state = state


class SameParty(Exception):
    """The person who approves is, or may be, the person who asked; the message says why, for people."""


class Withdrawn(Exception):
    """The person who approves has no right to (any more); the message says why, for people."""


class NothingLeft(Exception):
    """There is nothing left of the customer to erase."""


class ApprovalsStore(ErasuresStore):
    """The statements about erasures that wait. `sql.origin` says who asks and who decides."""

    async def ask_erasure(self, client_id: str, customer_id: UUID, reason: str, lasts: timedelta) -> UUID | None:
        """Ask for the erasure of a customer, to be approved within a time. Return its id; the id of an erasure that waits or is under way
        already, if there is one; or None if the client has no such customer (any more). Raises Held."""
        await self._unheld(client_id, customer_id)
        asked = {"client_id": client_id, "customer_id": customer_id, "reason": reason, "lasts": lasts}
        given = asked | ALL_HANDLES | {"id": uuid4(), "credential": origin().credential} | _party() | noted()

        async def work(connection: Connection) -> UUID | None:
            await connection.execute(statement("expire_erasure_requests"), {"client_id": client_id}, prepare=True)
            row = await (await connection.execute(statement("ask_erasure"), given, prepare=True)).fetchone()
            return row["id"] if row is not None else None

        # The second time it sees what another process asked for meanwhile.
        id = await self.transact(work) or await self.transact(work)
        waits = await self.erasure_request(id, client_id) if id is not None and id != given["id"] else None
        if waits is not None and await self._refused_since(waits) is not None:
            return await self.transact(work)
        return id

    async def erasure_request(self, id: UUID, client_id: str | None = None) -> ErasureRequest | None:
        """Return an erasure that waits or waited for a second person, of this client if one is given; None if there is none. `state`:
        `waiting`, `approved`, `refused` or `expired`."""
        return await self._row("erasure_request", {"id": id, "client_id": client_id})

    async def erasure_requests(self, client_id: str | None, limit: int = 100) -> list[ErasureRequest]:
        """Return the latest erasures that wait, or were not approved; None: of all clients."""
        if client_id is None:
            return await self._rows("erasure_requests", {"limit": limit})
        return await self._rows("erasure_requests_of_client", {"client_id": client_id, "limit": limit})

    async def approve_erasure(self, request: Mapping[str, Any]) -> UUID:
        """Approve an erasure that waits: from then on it is requested. Return its id, or the id of another erasure of the same customer that
        is under way. If the asker has lost the right to erase, the erasure is refused. Raises NotWaiting, SameParty, Withdrawn, NothingLeft,
        and Held."""
        by = origin()
        if request["state"] == "waiting":
            if (why := sameness(request["parties"], parties_of(by))) is not None:
                raise SameParty(why)
            if (why := await self._refused_since(request)) is not None:
                raise NotWaiting("refused", why)
            if (why := await self._withdrawn(by.actor, by.credential, request["client_id"], None)) is not None:
                raise Withdrawn(f"You may not approve it: {why}.")
        client, customer = request["client_id"], request["customer_id"]
        await self._unheld(client, customer)
        given = {"id": request["id"], "client_id": client, "customer_id": customer, "reason": request["reason"]}
        given |= ALL_HANDLES | {"asked": request["assignments"], "asked_at": request["requested_at"]}

        async def work(connection: Connection) -> UUID | None:
            if not await _decided(connection, request, "approved", None):
                return None
            for _ in range(2):  # the second time it sees what another process requested meanwhile
                cursor = await connection.execute(statement("request_erasure"), given | noted(), prepare=True)
                if (row := await cursor.fetchone()) is not None:
                    found: UUID = row["id"]
                    return found
            raise NothingLeft

        id = await self.transact(work)
        if id is None:
            raise await self._not_waiting(request)
        return id

    async def refuse_erasure(self, request: Mapping[str, Any], why: str) -> None:
        """Refuse an erasure that waits, also one's own. Raises NotWaiting."""

        async def work(connection: Connection) -> bool:
            return await _decided(connection, request, "refused", why)

        if not await self.transact(work):
            raise await self._not_waiting(request)

    async def _refused_since(self, request: Mapping[str, Any]) -> str | None:
        """Refuse an erasure that waits, if the person who asked for it has lost the right to erase; return why."""
        given = request["actor"], request["credential"], request["client_id"], request["requested_at"]
        if request["state"] != "waiting" or (found := await self._withdrawn(*given)) is None:
            return None
        why = f"the right of who asked was withdrawn ({found})"

        async def work(connection: Connection) -> bool:
            by = {"party": "threadline", "parties": None, "by_actor": "threadline", "by_key": None}
            return await _decided(connection, request, "refused", why, by)

        await self.transact(work)
        return why

    async def _withdrawn(
        self, actor: str, credential: UUID | None, client_id: str, since: datetime | None
    ) -> str | None:
        """Return why somebody may not erase (any more), as far as the database knows; None if they may. `since`: log-ins from then on
        count. A person who runs commands needs no right."""
        given = {"who": party_of(actor), "credential": credential, "client_id": client_id, "since": since}
        found = await self._row("withdrawn_right", given)
        return _WITHDRAWN.get(found["why"]) if found is not None else None

    async def _not_waiting(self, request: Mapping[str, Any]) -> NotWaiting:
        now = await self.erasure_request(request["id"])
        return NotWaiting(now["state"] if now is not None else "unknown")


def _party() -> dict[str, Any]:
    """Return the parameters that say who acts, and who may hold the credential."""
    return {"party": party_of(origin().actor), "parties": parties_of(origin())}


async def _decided(
    connection: Connection,
    request: Mapping[str, Any],
    decision: str,
    why: str | None,
    by: Mapping[str, Any] | None = None,
) -> bool:
    """Note a decision; return whether the erasure still waited for one. Of two decisions at the same time one is first, and the other sees
    it. `by`: who decides, if that is not the person who acts."""
    given = {"id": request["id"], "client_id": request["client_id"], "decision": decision, "why": why}
    given |= noted() | dict(by or _party())
    return bool(await (await connection.execute(statement("decide_erasure"), given, prepare=True)).fetchall())
