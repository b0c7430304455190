"""Lets erasures wait until a second person approves them. What waits is in a table of its own, where no step of an erasure sees it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sql.append import Appending
from sql.erasures import ALL_HANDLES, ErasuresStore
from sql.origin import noted, origin
from sql.pool import Connection
from sql.statements import statement

ErasureRequest = dict[str, Any]


class NotWaiting(Exception):
    """The erasure does not wait (any more); the message is for people. `state`: what it is instead."""

    def __init__(self, state: str) -> None:
        words = {"approved": "was approved", "refused": "was refused", "expired": "was not approved in time"}
        super().__init__(f"This erasure {words.get(state, f'is {state}')}.")
        self.state = state


class SameParty(Exception):
    """Who approves is who asked."""


class NothingLeft(Exception):
    """There is nothing left of the customer to erase."""


def party_of(actor: str) -> str:
    """Return who an actor of the audit is, whichever credential was used: a person by a session and by a token of the same issuer, and an
    API key before and after its rotation, which keeps its name, so that keys of one name are one."""
    kind, _, name = actor.partition(":")
    return f"person:{name}" if kind == "token" else actor


class ApprovalsStore(Appending, ErasuresStore):
    """The statements about erasures that wait. Who asks and who decides are taken from `sql.origin`."""

    async def ask_erasure(self, client_id: str, customer_id: UUID, reason: str, lasts: timedelta) -> UUID | None:
        """Ask for the erasure of a customer, to be approved within a time; return its id, that of the one that waits or is under way if
        there is one, or None if the client has no such customer (any more). Raises Held."""
        await self._unheld(client_id, customer_id)
        asked = {"client_id": client_id, "customer_id": customer_id, "reason": reason, "lasts": lasts}
        given = asked | ALL_HANDLES | {"id": uuid4(), "party": party_of(origin().actor)} | noted()

        async def work(connection: Connection) -> UUID | None:
            await connection.execute(statement("expire_erasure_requests"), {"client_id": client_id}, prepare=True)
            row = await (await connection.execute(statement("ask_erasure"), given, prepare=True)).fetchone()
            return row["id"] if row is not None else None

        # The second time it sees what another process asked for meanwhile.
        return await self.transact(work) or await self.transact(work)

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
        """Approve an erasure that waits: from then on it is requested. Return its id, or that of another of the same customer that is under
        way. Raises NotWaiting, SameParty, NothingLeft, and Held."""
        if request["state"] == "waiting" and request["party"] == party_of(origin().actor):
            raise SameParty
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

    async def _not_waiting(self, request: Mapping[str, Any]) -> NotWaiting:
        now = await self.erasure_request(request["id"])
        return NotWaiting(now["state"] if now is not None else "unknown")


async def _decided(connection: Connection, request: Mapping[str, Any], decision: str, why: str | None) -> bool:
    """Note a decision; return whether the erasure still waited for one. Of two at once one is first, and the other sees it."""
    given = {"id": request["id"], "client_id": request["client_id"], "decision": decision, "why": why}
    given |= {"party": party_of(origin().actor)} | noted()
    return bool(await (await connection.execute(statement("decide_erasure"), given, prepare=True)).fetchall())
