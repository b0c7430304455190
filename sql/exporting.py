"""Reads the parts of a customer's export beside the timeline: which handles were the customer's, messages that were requested, and the
customer's part in interactions that others share."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from sql.erased_parts import Told, parts_of
from sql.holdings import Holding
from sql.opening import Opening


class Shared(NamedTuple):
    """An interaction in which a customer and others may have parts: when it began, by which references it is known, and whether it is
    certain that it names the customer."""

    id: UUID
    began: datetime
    references: Collection[UUID]
    named: bool


class ExportingStore(Opening):
    """The statements about exports."""

    async def exported_assignments(self, client_id: str, customer_id: UUID) -> list[dict[str, Any]]:
        """Return all assignments of handles to a customer, past and present."""
        rows = await self._rows("export_assignments", {"client_id": client_id, "customer_id": customer_id})
        return [row["assignment"] for row in rows]

    async def exported_messages(
        self, client_id: str, ids: Sequence[str], handles: Collection[UUID] | None = None
    ) -> list[dict[str, Any]]:
        """Return those of some messages that are still kept, with their requests. `handles`: only messages to one of these."""
        given = {"client_id": client_id, "ids": list(ids), "handles": None if handles is None else list(handles)}
        return await self._opened(await self._rows("export_messages", given))

    async def exported_shared(self, client_id: str, customer_id: UUID, after: UUID, limit: int) -> list[Shared]:
        """Return the next interactions after an id that others may share with a customer."""
        given = {"client_id": client_id, "customer_id": customer_id, "after": after, "limit": limit}
        rows = await self._rows("export_shared", given)
        return [Shared(row["id"], row["began"], row["references"], row["named"]) for row in rows]

    async def exported_files(self, since: datetime) -> list[dict[str, Any]]:
        """Return the files of months from a time on that are only in the archive: `month`, `file`, `checksum`."""
        return await self._rows("export_files", {"since": since})

    async def exported_parts(
        self,
        client_id: str,
        ids: Collection[UUID],
        holdings: Collection[Holding],
        archived: Sequence[Mapping[str, Any]],
    ) -> dict[UUID, list[dict[str, Any]]]:
        """Return for each of some interactions the events that are a customer's own, in the order of time, with the columns of `events`;
        interactions without such events are left out. `holdings`: when the customer had which handle; `archived`: the events of these
        interactions in the archive. Events that name nobody are left out, since they may be another customer's."""

        def has(handle: UUID, at: datetime) -> bool:
            return any(each.handle == handle and each.has(at) for each in holdings)

        given = {"client_id": client_id, "ids": list(ids), "archived": Jsonb(list(archived))}
        parts = {}
        for id, rows in groupby(await self._rows("export_told", given), key=lambda row: row["interaction"]):
            events = {row["event"]: row for row in rows}  # a month may be in the log and in the archive
            his = set(parts_of([Told(*(row[name] for name in Told._fields)) for row in events.values()], has).his)
            if his:
                parts[id] = await self._opened([row for event, row in events.items() if event in his])
        return parts
