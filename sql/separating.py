"""Takes an erased customer's part out of interactions in which others have a part, and folds what stays anew."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from psycopg.errors import LockNotAvailable
from psycopg.types.json import Jsonb

from sql.erased_parts import Parts, Told, parts_of
from sql.erasures import Erasure, Waits
from sql.holdings import Holding
from sql.naming import Naming
from sql.pool import Connection
from sql.statements import statement

#: Most interactions that one transaction takes apart: nobody appends meanwhile.
STEP = 50
#: A row of `events`, by its columns.
Event = Mapping[str, Any]


class SeparatingStore(Naming):
    """The statements about such interactions. To be called while no rebuild or archive runs (`archive_alone`): a rebuild may have folded
    what leaves."""

    async def shared_archived(self, erasure: Erasure) -> set[UUID]:
        """Return by which references those interactions are known that others may share and the archive may have events of."""
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
        """Take the customer's part out of all interactions of an erasure that others share; return how many turned out to be the
        customer's alone, which are noted as such. `holdings`: when he had addresses that others had too; `archived`: what the archive
        has of these interactions. Raises Waits where others append for too long."""
        erased = erased_by(erasure, holdings)
        # Of a month that was restored since.
        await self._run_only("separate_events", {"id": erasure["id"]})
        after, alone = UUID(int=0), 0
        while True:
            try:
                async with self._pool.connection() as connection, connection.transaction():
                    for name in ("erase_patience", "erase_lock"):
                        await connection.execute(statement(name))
                    given = {"id": erasure["id"], "after": after, "limit": step}
                    ids = [row["id"] for row in await _read(connection, "erase_shared", given)]
                    if not ids:
                        return alone
                    given = {"id": erasure["id"], "ids": ids, "archived": Jsonb(list(archived))}
                    told = [Told(**row) for row in await _read(connection, "erase_told", given)]
                    parts = [parts_of(each, erased) for each in _interactions(told)]
                    alone += await _separate(connection, erasure["id"], parts, archived)
                    after = ids[-1]
            except LockNotAvailable as error:
                raise Waits("others append all the time: it is tried again") from error

    async def spare_archived(self, erasure: Erasure, shared: Sequence[Parts]) -> None:
        """Note what leaves messages of the archive in which others have a part, or which are others' alone. Where such a message was
        removed with what came late of it, only that goes."""
        changes = {
            "id": erasure["id"],
            "his": [event for each in shared for event in each.his],
            "nobodys": [event for each in shared if each.his for event in each.nobodys],
            "references": [one for each in shared for one in each.references],
        }
        async with self._pool.connection() as connection, connection.transaction():
            for name in ("erase_spare", "separate_events"):
                await connection.execute(statement(name), changes)

    async def parted_events(self, id: UUID) -> tuple[set[UUID], set[UUID]]:
        """Return the events that an erasure takes out of interactions, and those that it leaves there without their words."""
        rows = await self._rows("erase_parts", {"id": id})
        return {row["event_id"] for row in rows if row["his"]}, {row["event_id"] for row in rows if not row["his"]}


def erased_by(erasure: Erasure, holdings: Collection[Holding]) -> Callable[[UUID, datetime], bool]:
    """Return whether a handle was the erased customer's at a time."""
    handles = frozenset(erasure["handles"])
    return lambda handle, at: handle in handles or any(each.handle == handle and each.has(at) for each in holdings)


async def _read(connection: Connection, name: str, given: dict[str, Any]) -> list[dict[str, Any]]:
    return await (await connection.execute(statement(name), given)).fetchall()


def _interactions(told: Iterable[Told]) -> Iterable[list[Told]]:
    """Group events by interaction, each once: a month may be in the log and in the archive."""
    by = sorted(set(told), key=lambda each: (each.interaction, each.event))
    return (list(each) for _, each in groupby(by, key=lambda each: each.interaction))


async def _separate(connection: Connection, id: UUID, every: Sequence[Parts], archived: Sequence[Event]) -> int:
    """Write what becomes of some interactions; return how many are the customer's alone."""
    shared, alone = [each for each in every if each.shared], [each for each in every if each.his and not each.shared]
    if not shared and not alone:
        return 0
    links = {one: interaction for each in shared for one, interaction in each.links.items()}
    his, nobodys = ({event for each in shared for event in getattr(each, name)} for name in ("his", "nobodys"))
    left = {one for each in shared for one in each.left}
    changes: dict[str, Any] = {
        "id": id,
        "ids": [each.interaction for each in shared],
        "his": list(his),
        "nobodys": list(nobodys),
        "gone": [one for each in every if each.his for one in (each.gone if each.shared else each.references)],
        "left": list(left),
        "members": list(links),
        "links": list(links.values()),
        "archived": Jsonb(_staying(archived, left, his, nobodys)),
    }
    for name in ("erase_separate", "separate_events", "erase_relink", "erase_refold"):
        await connection.execute(statement(name), changes)
    return len(alone)


def _staying(archived: Iterable[Event], left: set[UUID], his: set[UUID], nobodys: set[UUID]) -> list[Event]:
    """Return archived events as they are once they are emptied, of some references, without those that leave."""
    staying = []
    for each in archived:
        if UUID(each["reference"]) in left and (id := UUID(each["id"])) not in his:
            staying.append({**each, **_EMPTIED, "error": _reason(each["error"])} if id in nobodys else each)
    return staying


_EMPTIED: Event = {"payload": {}, "provider_message_id": None, "message_id": None, "trace": None}


def _reason(error: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    return None if error is None else {"reason": error.get("reason")}
