"""Appends decisions on customers: merge, split, another holder of a handle, undo.

A decision is an event that names assignments of handles. It moves assignments, never interactions; `sql.deciding` computes the
customers that result. Reading and appending are one transaction under the client's lock, so that two decisions cannot conflict.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from schemas.events import Event, Handle
from sql.append import Appending
from sql.customers import MOST, Side
from sql.errors import T
from sql.handles import decision
from sql.parameters import clean, record_of
from sql.personal.payloads import seal_value
from sql.pool import Connection
from sql.sealed import DECIDED, Sealed
from sql.statements import statement

#: What makes decisions.
SOURCE = "threadline"
#: By how much a caller's clock may be fast: a time that is further ahead counts as future.
_CLOCKS = timedelta(minutes=1)


class Refused(Exception):
    """The decision cannot be made; the message says why, for people. `code`: not_found, conflict or too_many."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides: `kind` is `operator` or `client_api`, `actor` their name, `cause` the reason in words (None: none given);
    `erasing`: it is an erasure, which gives a handle to its next holder."""

    kind: str
    actor: str
    cause: str | None = None
    erasing: bool = False

    @property
    def payload(self) -> dict[str, Any]:
        """The members of an event's payload."""
        named = {"evidence": {"kind": self.kind, "actor": clean(self.actor)[:256]}}
        return named | ({"cause": self.cause} if self.cause else {})


class Decision(NamedTuple):
    """A decision: the customers of the assignments that move and of those that stay, before it; the customer of those that move, after
    it; and its event (None: there was nothing to decide, or it was only previewed)."""

    moves: Side
    stays: Side
    becomes: UUID
    event_id: UUID | None


class DecisionsStore(Appending):
    """The store's part that decides on customers. All methods raise Refused; with `only_look` a decision is only previewed."""

    async def merge_customers(
        self, client_id: str, into: UUID, customer: UUID, by: Deciding, *, only_look: bool = False
    ) -> Decision:
        """Merge a customer into another, whose id stays. Splits between the two are set aside. If the two are one customer already,
        nothing changes."""
        by = await self._discreet(client_id, by)

        async def decide(connection: Connection) -> Decision:
            sides = await _sides(connection, client_id, [into, customer])
            stays, moves = sides[into], sides[customer]
            if stays.customer_id == moves.customer_id:
                return Decision(Side(moves.customer_id, []), stays, stays.customer_id, None)
            if len(stays.assignments) + len(moves.assignments) > MOST:
                raise Refused("too_many", f"A customer has at most {MOST} handles.")
            apart = {"client_id": client_id, "ones": moves.ids, "others": stays.ids}
            overrides = [row["event_id"] for row in await _all(connection, "splits_between", apart)]
            payload = _moving(stays, moves.customer_id, moves.ids, stays.ids) | {"overrides": overrides}
            made = Decision(moves, stays, stays.customer_id, None)
            return await self._made(connection, client_id, "CustomersMerged", payload, by, made, only_look)

        return await self._shown(await self._deciding(client_id, decide))

    async def split_customer(
        self, client_id: str, customer: UUID, handles: Sequence[UUID], by: Deciding, *, only_look: bool = False
    ) -> Decision:
        """Make a new customer of some of a customer's handles. The others keep the id; no link joins the two again."""
        by = await self._discreet(client_id, by)

        async def decide(connection: Connection) -> Decision:
            whole = (await _sides(connection, client_id, [customer]))[customer]
            wanted = set(handles)
            if strange := wanted - {row["handle_id"] for row in whole.assignments}:
                raise Refused("conflict", f"{len(strange)} of the handles are not this customer's.")
            moves = Side(whole.customer_id, [row for row in whole.assignments if row["handle_id"] in wanted])
            stays = Side(whole.customer_id, [row for row in whole.assignments if row["handle_id"] not in wanted])
            if not moves.assignments or not stays.assignments:
                raise Refused("conflict", "A split leaves at least one handle on each side.")
            new = uuid4()
            payload = _moving(whole, new, moves.ids, stays.ids)
            return await self._made(
                connection, client_id, "CustomersSplit", payload, by, Decision(moves, stays, new, None), only_look
            )

        return await self._shown(await self._deciding(client_id, decide))

    async def unlink_handle(
        self,
        client_id: str,
        customer: UUID,
        handle_id: UUID,
        valid_from: datetime,
        by: Deciding,
        *,
        only_look: bool = False,
    ) -> Decision:
        """Give a customer's handle to a new customer from a time on (aware): a number that has a new owner. The time must be past: from
        this call on the handle names the new customer, also to callers who erase or export by it, and an erasure before that time would
        leave what comes until then to the customer who was erased."""
        if not by.erasing and valid_from > datetime.now(UTC) + _CLOCKS:
            raise Refused(
                "conflict", f"{valid_from.isoformat()} is still to come: give the time when the owner changed."
            )
        by = await self._discreet(client_id, by)

        async def decide(connection: Connection) -> Decision:
            whole = (await _sides(connection, client_id, [customer]))[customer]
            ends = [row for row in whole.assignments if row["handle_id"] == handle_id and row["valid_to"] is None]
            if not ends:
                raise Refused("conflict", "The handle is not this customer's now.")
            if ends[0]["valid_from"] is not None and ends[0]["valid_from"] >= valid_from:
                raise Refused(
                    "conflict", f"The customer has the handle only since {ends[0]['valid_from'].isoformat()}."
                )
            new, assignment = uuid4(), uuid4()
            payload = _moving(whole, new, [assignment], [ends[0]["id"]]) | {"validFrom": valid_from.astimezone(UTC)}
            before = [row | {"valid_to": valid_from} if row is ends[0] else row for row in whole.assignments]
            moves = Side(whole.customer_id, [ends[0] | {"valid_from": valid_from}])
            made = Decision(moves, Side(whole.customer_id, before), new, None)
            return await self._made(connection, client_id, "HandleUnlinked", payload, by, made, only_look, ends[0])

        return await self._shown(await self._deciding(client_id, decide))

    async def undo_customer_change(self, client_id: str, event_id: UUID, by: Deciding) -> UUID:
        """Undo a merge, a split or an unlinking by its event, also after later ones; return the event of the undoing."""
        by = await self._discreet(client_id, by)

        async def decide(connection: Connection) -> UUID:
            found = await _all(connection, "customer_change", {"client_id": client_id, "event_id": event_id})
            if not found:
                raise Refused("not_found", "There is no merge, split or unlinking with this event id.")
            if found[0]["undone_by"] is not None:
                raise Refused("conflict", "It was undone before.")
            ids = [id for id in (found[0]["other_id"], found[0]["one_id"]) if id is not None]
            await _not_erasing(connection, client_id, by, ids)
            await _not_held(connection, client_id, by, ids)
            payload = {"undoes": event_id, "customerIds": ids}
            return await self._append_decision(connection, client_id, "CustomerChangeUndone", payload, by, None)

        return await self._deciding(client_id, decide)

    async def _discreet(self, client_id: str, by: Deciding) -> Deciding:
        """Return who decides, with the cause sealed, since people may name somebody in it. The cause has a key of its own. The erasure of
        a customer who took part destroys that key, so that the cause is gone from the archive's files and from backups too."""
        if by.cause is None:
            return by
        owned = decision(client_id, str(uuid4()))
        key = await self._key(owned, (await self._handles({owned}))[owned])
        return replace(by, cause=seal_value(clean(by.cause)[:1024], DECIDED, key))

    async def _deciding(self, client_id: str, decide: Callable[[Connection], Awaitable[T]]) -> T:
        async def work(connection: Connection) -> T:
            await connection.execute(statement("customers_lock_one"), {"client_id": client_id}, prepare=True)
            return await decide(connection)

        return await self.transact(work)

    async def _shown(self, decision: Decision) -> Decision:
        moves, stays = decision.moves, decision.stays
        opened = await self._opened([*moves.assignments, *stays.assignments])
        count = len(moves.assignments)
        return decision._replace(
            moves=moves._replace(assignments=opened[:count]), stays=stays._replace(assignments=opened[count:])
        )

    async def _made(
        self,
        connection: Connection,
        client_id: str,
        type: str,
        payload: dict[str, Any],
        by: Deciding,
        decision: Decision,
        only_look: bool,
        of: Mapping[str, Any] | None = None,
    ) -> Decision:
        if only_look:
            return decision
        await _not_erasing(connection, client_id, by, {decision.moves.customer_id, decision.stays.customer_id})
        if type != "CustomersMerged":  # which takes nothing from anybody
            await _not_held(connection, client_id, by, {decision.stays.customer_id})
        return decision._replace(event_id=await self._append_decision(connection, client_id, type, payload, by, of))

    async def _append_decision(
        self,
        connection: Connection,
        client_id: str,
        type: str,
        payload: Mapping[str, Any],
        by: Deciding,
        of: Mapping[str, Any] | None,
    ) -> UUID:
        # Nothing else in the event is personal. `of`: the assignment of the handle that the event is about.
        handle = Handle(of["kind"], "") if of else None
        event = Event(type, SOURCE, f"customers {uuid4()}", handle=handle)
        made = clean({**payload, **by.payload})
        now = datetime.now(UTC)
        ids = (event.source_event_id, None)
        record = record_of(event, client_id, now, None, 1 if of else None, None, ids, made, None)
        sealed = Sealed([record], [of["handle_id"]] if of else [])
        await self.write(connection, [(event, client_id, now, None)], sealed)
        found = await _all(
            connection, "event_of", {"client_id": client_id, "source": SOURCE, "id": event.source_event_id}
        )
        id: UUID = found[0]["id"]
        return id


def _moving(stays: Side, other: UUID, moved: list[UUID], kept: list[UUID]) -> dict[str, Any]:
    """Return the members that the payload of every decision has: the customer whose id stays, the other customer's id, and the
    assignments that move and that stay."""
    return {"customerId": stays.customer_id, "customerIds": [other], "moved": moved, "kept": kept}


async def _not_erasing(connection: Connection, client_id: str, by: Deciding, customers: Collection[UUID]) -> None:
    """Raise Refused if one of the customers is to be erased: the persons who ask for an erasure and approve it mean the present handles."""
    given = {"client_id": client_id, "customers": list(customers)}
    if not by.erasing and await _all(connection, "erasing", given):
        raise Refused("conflict", "An erasure of this customer is under way, or waits for a second person.")


async def _not_held(connection: Connection, client_id: str, by: Deciding, customers: Collection[UUID]) -> None:
    """Raise Refused if one of the customers is under a legal hold: what is taken from him could be erased."""
    given = {"client_id": client_id, "customers": list(customers)}
    if not by.erasing and (held := await _all(connection, "held", given)):
        until = max(row["until"] for row in held)
        words = "nothing is taken from him until it ends"
        raise Refused("conflict", f"This customer is under a legal hold until {until:%Y-%m-%dT%H:%M:%SZ}: {words}.")


async def _sides(connection: Connection, client_id: str, customers: list[UUID]) -> dict[UUID, Side]:
    rows = await _all(connection, "customer_assignments", {"client_id": client_id, "customers": customers})
    sides: dict[UUID, Side] = {}
    for row in rows:
        sides.setdefault(row["asked"], Side(row["customer_id"], [])).assignments.append(row)
    if missing := [str(id) for id in customers if id not in sides]:
        raise Refused("not_found", f"There is no customer with the id {missing[0]}.")
    return sides


async def _all(connection: Connection, name: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    cursor = connection.cursor(binary=True)
    await cursor.execute(statement(name), parameters, prepare=True)
    return await cursor.fetchall()
