"""Takes an erased customer's events out of interactions in which others have a part, and folds the remaining events anew."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from sql.erased_parts import Parts, Plan, Told, plan_of, with_late, with_plain
from sql.erasures import Erasure, Waits
from sql.holdings import Holding
from sql.naming import Naming
from sql.pool import Connection
from sql.statements import statement

#: Most interactions that are taken apart at once, and most of their events that one transaction takes out.
STEP, EVENTS = 50, 1000
#: A transaction number after all others.
END = (1 << 63) - 1
#: A row of `events`, by its columns.
Event = Mapping[str, Any]


class SeparatingStore(Naming):
    """The statements about such interactions. Call them while no rebuild or archive runs (`archive_alone`): a rebuild may have folded the
    events that leave."""

    async def shared_archived(self, erasure: Erasure) -> set[UUID]:
        """Return the references of those interactions that others may share and of which the archive may have events."""
        references: set[UUID] = set()
        after = UUID(int=0)
        while found := await self._rows("erase_shared", {"id": erasure["id"], "after": after, "limit": 20 * STEP}):
            given = {"client_id": erasure["client_id"], "ids": [row["id"] for row in found]}
            references |= {row["reference"] for row in await self._rows("erase_archived", given)}
            after = found[-1]["id"]
        return references

    async def separate_erasure(
        self, erasure: Erasure, holdings: Collection[Holding], archived: Sequence[Event] = (), step: int = STEP
    ) -> int:
        """Take the customer's events out of all interactions of an erasure that others share; return how many interactions turned out to be
        the customer's alone, which are noted as such. `holdings`: when he had addresses that others had too; `archived`: the events of these
        interactions in the archive. Raises Waits if others append for too long."""
        erased = erased_by(erasure, holdings)
        # This takes out the events of a month that was restored since.
        await self._run_only("separate_events", {"id": erasure["id"], "only": None})
        after, alone = UUID(int=0), 0
        while rows := await self._rows("erase_shared", {"id": erasure["id"], "after": after, "limit": step}):
            ids = [row["id"] for row in rows]
            alone += await self._take_apart(erasure["id"], ids, erased, archived)
            after = ids[-1]
        return alone

    async def _take_apart(
        self, id: UUID, ids: Sequence[UUID], erased: Callable[[UUID, datetime], bool], archived: Sequence[Event]
    ) -> int:
        """Take some interactions apart; return how many are the customer's alone. The long part is done while others append: his events
        leave, some at a time, and the remaining events are folded. If the process is killed, the next one goes on by the same plan. Then,
        while nobody appends, events that came meanwhile are joined, and the new interactions take the place of the old ones."""
        before = (await self._rows("horizon"))[0]["horizon"]
        given = {"id": id, "ids": list(ids), "archived": Jsonb(list(archived)), "since": 0}
        rows = await self._rows("erase_told", given)
        told, plan = await asyncio.to_thread(_planned, rows, erased)
        if not plan.shared and not plan.alone:
            return 0
        await self._run_only("erase_note_parts", _noted(id, told, plan))
        leaving = [*plan.his, *plan.nobodys]
        for start in range(0, len(leaving), EVENTS):
            await self._run_only("separate_events", {"id": id, "only": leaving[start : start + EVENTS]})
        folded = await self._rows("erase_folded", _folding(id, plan, 0, before, archived))
        try:
            async with self._pool.connection() as connection, connection.transaction():
                for name in ("erase_patience", "erase_lock"):
                    await connection.execute(statement(name))
                given = {"id": id, "ids": list(ids), "archived": Jsonb([]), "since": before}
                late = {Told(**row) for row in await _read(connection, "erase_told", given)}
                now = with_plain(plan, late - told, erased)
                if now is None:
                    told = with_late(told, late)
                    now = await asyncio.to_thread(plan_of, told, erased)
                if now.leaves_as(plan):
                    folded += await _read(connection, "erase_folded", _folding(id, now, before, END, ()))
                else:  # a later event is his, or ties references that were not tied
                    await connection.execute(statement("erase_note_parts"), _noted(id, told, now))
                    await connection.execute(statement("separate_events"), {"id": id, "only": None})
                    folded = await _read(connection, "erase_folded", _folding(id, now, 0, END, archived))
                changes = {"id": id, "folded": [row["interaction"] for row in folded], "members": list(now.links)}
                changes |= {"ids": now.ids, "gone": now.gone, "links": list(now.links.values())}
                for name in ("erase_separate", "erase_relink", "erase_refold"):
                    await connection.execute(statement(name), changes)
        except LockNotAvailable as error:
            raise Waits("others append all the time: it is tried again") from error
        await self._run_only("erase_parted", {"id": id, "ids": now.ids})
        return len(now.alone)

    async def spare_archived(self, erasure: Erasure, shared: Sequence[Parts]) -> None:
        """Note the events that leave messages of the archive in which others have a part, or which are others' alone. If a late event of
        such a message is to be removed, only that event is."""
        changes = {
            "id": erasure["id"],
            "his": [event for each in shared for event in each.his],
            "nobodys": [event for each in shared if each.his for event in each.nobodys],
            "references": [one for each in shared for one in each.references],
        }
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute(statement("erase_spare"), changes)
            await connection.execute(statement("separate_events"), {"id": erasure["id"], "only": None})

    async def parted_events(self, id: UUID) -> tuple[set[UUID], set[UUID]]:
        """Return the events that an erasure takes out of interactions, and those that it leaves there without their words."""
        rows = await self._rows("erase_parts", {"id": id})
        return {row["event_id"] for row in rows if row["his"]}, {row["event_id"] for row in rows if not row["his"]}


def erased_by(erasure: Erasure, holdings: Collection[Holding]) -> Callable[[UUID, datetime], bool]:
    """Return a function that says whether a handle was the erased customer's at a time."""
    handles = frozenset(erasure["handles"])
    return lambda handle, at: handle in handles or any(each.handle == handle and each.has(at) for each in holdings)


async def _read(connection: Connection, name: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    return await (await connection.execute(statement(name), given)).fetchall()


def _planned(rows: Iterable[dict[str, Any]], erased: Callable[[UUID, datetime], bool]) -> tuple[set[Told], Plan]:
    told = {Told(**row) for row in rows}
    return told, plan_of(told, erased)


def _noted(id: UUID, told: Iterable[Told], plan: Plan) -> dict[str, Any]:
    """Return the parameters that note the events that leave, and those that stay without their words."""
    his = set(plan.his)
    leaving = his.union(plan.nobodys)
    noted = {each.event: each for each in told if each.event in leaving}
    return {
        "id": id,
        "events": list(noted),
        "his": [event in his for event in noted],
        "interactions": [each.interaction for each in noted.values()],
        "references": [each.reference for each in noted.values()],
    }


def _folding(id: UUID, plan: Plan, since: int, before: int, archived: Iterable[Event]) -> dict[str, Any]:
    """Return the parameters that fold the events of some transactions that stay."""
    left = plan.left
    return {
        "id": id,
        "left": list(left),
        "members": list(plan.links),
        "links": list(plan.links.values()),
        "since": since,
        "before": before,
        "archived": Jsonb(_staying(archived, left, set(plan.his), set(plan.nobodys))),
    }


def _staying(archived: Iterable[Event], left: set[UUID], his: set[UUID], nobodys: set[UUID]) -> list[Event]:
    """Return archived events of some references as they are once they are emptied, without the events that leave."""
    staying = []
    for each in archived:
        if UUID(each["reference"]) in left and (id := UUID(each["id"])) not in his:
            staying.append({**each, **_EMPTIED, "error": _reason(each["error"])} if id in nobodys else each)
    return staying


_EMPTIED: Event = {"payload": {}, "provider_message_id": None, "message_id": None, "trace": None}


def _reason(error: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if error is None else {"reason": error.get("reason")}
