"""Opens what the store keeps sealed, in the rows that its readers get: a batch of rows at once, each key derived once.

A value whose handle was erased reads as None, or is left out of a payload's contents; its row then has `erased`: True. What is opened
for who may not see personal data (`sql.showing`) is masked.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any
from uuid import UUID

from schemas.personal import REQUEST
from sql.handles import PLACE
from sql.naming import Naming
from sql.personal.keys import HandleKey, handle_of
from sql.personal.masking import mask_row
from sql.personal.opened import KeyOf, is_sealed, open_payload, open_value
from sql.sealed import CAUSE, DIALLED, ERROR_TEXT, TROUBLE
from sql.sealing import NoKey, Tampered
from sql.showing import shows

Row = dict[str, Any]


class Opening(Naming):
    """The part of the store that opens."""

    async def _opened(self, rows: Sequence[Row], *, closed: bool = False) -> list[Row]:
        """Return rows with what is sealed in them opened: in the columns of `COLUMNS`. With `closed`, a row that cannot be opened has
        `closed`: True and none of these columns, so that it stops no other; else NoKey or Tampered is raised."""
        self._derive(rows)
        opener = _Opener(self._keys.kept)
        opens = _or_closed if closed else _row
        opened = [opens(row, opener) for row in rows]
        if opener.missing:
            opener.found = await self._keys_by_id(opener.missing, closed=closed)
            opened = [opens(row, opener) for row in rows]
        return opened

    def _derive(self, rows: Sequence[Row]) -> None:
        """Derive the keys of those handles whose salts the rows have, so that a page of a timeline needs no look-up."""
        for row in rows:
            salt, secrets = row.get("address_salt"), self._secrets.get(row.get("client_id", ""))
            if salt is not None and secrets is not None and self._keys.kept(row["address_id"]) is None:
                self._keys.key(row["address_id"], salt, secrets.root)
                self._forget_later()

    async def _opened_one(self, row: Row | None) -> Row | None:
        """Return one row opened; None for none."""
        return None if row is None else (await self._opened([row]))[0]

    async def _keys_by_id(self, handles: Collection[UUID], *, closed: bool = False) -> dict[UUID, HandleKey | None]:
        """Return the keys of handles; None for those that were erased. With `closed`, a handle is left out whose client's root key
        cannot be decrypted; else that raises NoKey or Tampered."""
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


class _Opener:
    """Gives the keys that are kept; those of other handles are `missing` until they were looked for (`found`). `erased`: whether it
    was asked for one of an erased handle since that was last set to False."""

    def __init__(self, kept: Callable[[UUID], HandleKey | None]) -> None:
        self._kept = kept
        self.found: dict[UUID, HandleKey | None] | None = None
        self.missing: set[UUID] = set()
        self.erased = False

    def __call__(self, handle: UUID) -> HandleKey | None:
        key = self._kept(handle)
        if key is not None:
            return key
        if self.found is None:
            self.missing.add(handle)
            return None
        if handle not in self.found:
            raise NoKey("the root key of its client cannot be decrypted by secrets.keys")
        if (key := self.found[handle]) is None:
            self.erased = True
        return key


def _row(row: Row, opener: _Opener) -> Row:
    opener.erased = False
    made = row | {name: opens(row, row[name], opener) for name, opens in COLUMNS.items() if row.get(name) is not None}
    made.pop("address_salt", None)
    # A handle whose kind is left and whose value is not was erased.
    if opener.erased or any(row.get(kind) is not None and row[value] is None for kind, value in PAIRS):
        made["erased"] = True
    return made if shows() else mask_row(made, [name for name in COLUMNS if _held(name, row.get(name))])


def _held(column: str, stored: Any) -> bool:
    """Return whether what is stored in a column is sealed: of some, what a query or the service itself wrote is not."""
    if column == "error":
        return stored is not None and is_sealed(stored.get("text"))
    return is_sealed(stored) if column in ("cause", "trouble") else stored is not None


def _or_closed(row: Row, opener: _Opener) -> Row:
    """Open a row, or return it without what is sealed in it."""
    try:
        return _row(row, opener)
    except (NoKey, Tampered):
        return row | {name: None for name in COLUMNS if name in row} | {"closed": True}


def _address(_: Row, sealed: bytes, key_of: KeyOf) -> str | None:
    key = key_of(handle_of(sealed))
    return None if key is None else key.open(sealed, PLACE).decode()


def _payload(row: Row, payload: dict[str, Any], key_of: KeyOf) -> dict[str, Any]:
    opened = open_payload(row["type"], payload, key_of)
    if row.get("related_kind") is not None:
        pair = ((row["handle_kind"], row["handle_value"]), (row["related_kind"], row["related_value"]))
        values = [None if sealed is None else _address(row, sealed, key_of) for _, sealed in pair]
        opened["handles"] = [
            {"kind": kind} | ({} if value is None else {"value": value})
            for (kind, _), value in zip(pair, values, strict=True)
        ]
    return opened


def _content(_: Row, content: dict[str, Any], key_of: KeyOf) -> dict[str, Any]:
    # Of any type: all have the same contents.
    opened: dict[str, Any] = open_payload("MessageReceived", {"content": content}, key_of)["content"]
    return opened


def _error(_: Row, error: dict[str, Any], key_of: KeyOf) -> dict[str, Any]:
    text = error.get("text")
    return error | {"text": open_value(text, ERROR_TEXT, key_of)} if is_sealed(text) else error


def _request(_: Row, request: dict[str, Any], key_of: KeyOf) -> dict[str, Any]:
    return open_payload(REQUEST, request, key_of)


def _dialled(_: Row, handles: list[list[Any]], key_of: KeyOf) -> list[list[Any]]:
    """Open the addresses of a message; that of an erased handle is left out."""
    opened = []
    for channel, address, *id in handles:
        kind, _, sealed = address.partition("\x1f")
        value = open_value(sealed, DIALLED, key_of)
        if value is not None:
            opened.append([channel, f"{kind}\x1f{value}", *id])
    return opened


def _cause(_: Row, cause: str, key_of: KeyOf) -> str | None:
    """Open the cause of a message's state. One that a query wrote is not sealed; one that anybody else wrote always is."""
    return open_value(cause, CAUSE, key_of) if is_sealed(cause) else cause


def _trouble(_: Row, trouble: str, key_of: KeyOf) -> str | None:
    return open_value(trouble, TROUBLE, key_of) if is_sealed(trouble) else trouble


#: The columns of a handle's kind and value.
PAIRS = (("handle_kind", "handle_value"), ("related_kind", "related_value"), ("address_kind", "address_value"))
#: What opens the values of each column that is sealed.
COLUMNS: dict[str, Callable[[Row, Any, KeyOf], Any]] = {
    "payload": _payload,
    "handle_value": _address,
    "address_value": _address,
    "of_value": _address,
    "value": _address,
    "content": _content,
    "error": _error,
    "cause": _cause,
    "trouble": _trouble,
    "request": _request,
    "handles": _dialled,
}
