"""Opens sealed values in the rows that the store's readers get: a batch of rows at once, each key derived once."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sql.naming import Naming
from sql.opened_rows import Opener, Row, open_or_close, open_row
from sql.personal.keys import HandleKey


class Opening(Naming):
    """The part of the store that opens."""

    async def _opened(self, rows: Sequence[Row], *, closed: bool = False) -> list[Row]:
        """Return rows with their sealed values opened, in the columns of `sql.opened_rows.COLUMNS`. With `closed`, a row that cannot be opened
        has `closed`: True and none of these columns, so that the other rows are returned; without it NoKey or Tampered is raised."""
        self._derive(rows)
        if not rows:
            return []
        self._keys.recent.expire()
        opener = Opener(self._keys.opening, rows[0], self._keys.recent)
        opens = open_or_close if closed else open_row
        opened, again = [], []
        for place, row in enumerate(rows):
            opener.lacks = False
            opened.append(opens(row, opener))
            if opener.lacks:
                again.append(place)
        if again:
            opener.found = await self._keys_by_id(opener.missing, closed=closed)
            for place in again:
                opened[place] = opens(rows[place], opener)
        return opened

    def _derive(self, rows: Sequence[Row]) -> None:
        """Derive the keys of those handles whose salts the rows have, so that a page of a timeline needs no look-up."""
        if not rows or "address_salt" not in rows[0]:
            return
        before = None
        for row in rows:
            # Most rows of a page are of the same handle.
            if (salt := row["address_salt"]) is None or salt == before:
                continue
            before, secrets = salt, self._secrets.get(row["client_id"])
            if secrets is not None and self._keys.kept(row["address_id"]) is None:
                self._keys.key(row["address_id"], salt, secrets.root)
                self._forget_later()

    async def _opened_one(self, row: Row | None) -> Row | None:
        """Return one row opened; None for none."""
        return None if row is None else (await self._opened([row]))[0]

    async def _keys_by_id(self, handles: Collection[UUID], *, closed: bool = False) -> dict[UUID, HandleKey | None]:
        """Return the keys of handles; None for handles that were erased. If a client's root key cannot be decrypted, its handles are left
        out with `closed`; without it NoKey or Tampered is raised."""
        found: dict[UUID, HandleKey | None] = {id: self._keys.kept(id) for id in handles}
        unknown = [id for id, key in found.items() if key is None]
        rows = await self._rows("salts", {"ids": unknown}) if unknown else []
        clients = {row["client_id"] for row in rows}
        locked = await self.locked_clients(clients) if closed else ()
        secrets = await self._secrets_of(clients.difference(locked))
        for row in rows:
            if row["client_id"] in locked:
                del found[row["id"]]
            else:
                found[row["id"]] = self._keys.key(row["id"], row["salt"], secrets[row["client_id"]].root)
        if rows:
            self._forget_later()
        return found
