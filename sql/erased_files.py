"""Keeps an erasure's progress with the files of the archive, and replaces files by those that were written anew."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sql.archive import Said
from sql.naming import Naming
from sql.statements import statement


class ErasedFilesStore(Naming):
    """The statements about erasures and the archive."""

    @asynccontextmanager
    async def archive_alone(self) -> AsyncIterator[bool]:
        """Keep rebuilds and archives of this database out during the block; gives False if one is under way."""
        async with self._sessions.connection() as connection:
            found = await (await connection.execute(statement("rebuild_lock"))).fetchone()
            mine = found is not None and bool(found["mine"])
            try:
                yield mine
            finally:
                if mine:
                    try:
                        await connection.execute(statement("archive_unlock"))
                    except BaseException:
                        await connection.close()  # which releases the lock too
                        raise

    async def files_to_empty(self, id: UUID | None) -> list[dict[str, Any]]:
        """Return the files that an erasure has not been through (None: all): `month`, `part`, `file`, `digest`, `checksum`."""
        return await self._rows("erase_files", {"id": id})

    async def erased_references(self, id: UUID) -> set[UUID]:
        """Return the references of the interactions that an erasure removed."""
        return {row["reference"] for row in await self._rows("erase_references", {"id": id})}

    async def erase_gone(self, id: UUID, said: Sequence[Said]) -> None:
        """Note the references of messages that, as files of the archive `said`, are the erased customer's."""
        columns = {name: [getattr(each, name) for each in said] for name in Said._fields}
        await self._run_only("erase_gone", {"id": id} | columns)

    async def detached_months(self) -> list[str]:
        """Return the tables of months that are neither part of the log nor dropped."""
        return [row["name"] for row in await self._rows("erase_detached")]

    async def living(self, handles: Collection[UUID]) -> set[UUID]:
        """Return those of some handles that are not erased."""
        return {row["id"] for row in await self._rows("salts", {"ids": list(handles)})}

    async def swap_file(self, id: UUID, row: dict[str, Any], emptied: list[UUID], **new: Any) -> bool:
        """Note that a file is done; with `emptied` events, that the `new` file (`file`, `digest`, `checksum`) takes its place. Return
        whether the database still had the file that was read."""
        given = {"file": row["file"], "digest": row["digest"], "checksum": row["checksum"]} | new
        given |= {"id": id, "month": row["month"], "part": row["part"], "former": row["digest"], "emptied": emptied}
        (done,) = await self._run("erase_swap", given)
        return bool(done["swapped"])

    async def files_to_remove(self) -> list[str]:
        """Return the former versions of files that are still to be removed."""
        return [row["file"] for row in await self._rows("erase_removals")]

    async def removed_file(self, file: str) -> None:
        """Note that the former version of a file is gone."""
        await self._run_only("erase_removed", {"file": file})

    async def note_waiting(self, id: UUID, reason: str) -> None:
        """Note why an erasure waits, for people who look at it."""
        await self._run_only("erase_waits", {"id": id, "reason": reason})
