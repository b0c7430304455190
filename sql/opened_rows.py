"""Opens the sealed values in a row that the store's readers get, column by column.

A value whose handle was erased becomes None, or is left out of a payload's contents; its row then has `erased`: True. For readers who may
not see personal data (`sql.showing`), opened values are masked.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from schemas.personal import REQUEST
from sql.handles import PLACE
from sql.personal.keys import HEAD, HandleKey, handle_of
from sql.personal.masking import mask_row
from sql.personal.opened import Memo, is_sealed, open_content, open_payload, open_value
from sql.personal.recent import Recent
from sql.sealed import CAUSE, DECIDED, DIALLED, ERROR_TEXT, REPORTED_AS, THEIR_ID, THEIRS, TROUBLE
from sql.sealing import NoKey, Tampered
from sql.showing import shows

Row = dict[str, Any]


class Opener:
    """Gives the keys that are kept (`kept`, by the first bytes of the values that they open). The keys of other handles are `missing` until
    they were looked for (`found`). `lacks`, `erased`: whether a missing key, or the key of an erased handle, was asked for since this was
    last set to False. `columns` and `pairs`: the sealed columns of the rows, which all have the columns of `row`; `masks`: whether opened
    values are masked; `names`: whether payloads hold ids of which other columns have digests. `recent`: the values that this process
    sealed lately."""

    def __init__(self, kept: Callable[[bytes], HandleKey | None], row: Row, recent: Recent | None = None) -> None:
        self._kept = kept
        self.columns = [(name, opens) for name, opens in COLUMNS.items() if name in row]
        self.pairs = [(kind, value) for kind, value in PAIRS if kind in row]
        self.masks, self.names = not shows(), "payload" in row
        self.memo = Memo(recent)
        #: The keys that were given, by the first bytes of the values that they open.
        self._given: dict[bytes, HandleKey] = {}
        self.found: dict[UUID, HandleKey | None] | None = None
        self.missing: set[UUID] = set()
        self.lacks = self.erased = False

    def __call__(self, sealed: bytes) -> HandleKey | None:
        head = sealed[:HEAD]
        if (key := self._given.get(head)) is not None:
            return key
        if (key := self._kept(head)) is None:
            handle = handle_of(sealed)
            if self.found is None:
                self.missing.add(handle)
                self.lacks = True
                return None
            if handle not in self.found:
                raise NoKey("the root key of its client cannot be decrypted by secrets.keys")
            if (key := self.found[handle]) is None:
                self.erased = True
                return None
        self._given[head] = key
        return key


def open_row(row: Row, opener: Opener) -> Row:
    """Return a row with its sealed values opened. Raises NoKey, or Tampered."""
    opener.erased = False
    made = row.copy()
    for name, opens in opener.columns:
        if (sealed := row[name]) is not None:
            made[name] = opens(row, sealed, opener)
    made.pop("address_salt", None)
    # A handle that has a kind and no value was erased.
    for kind, value in opener.pairs:
        if row[value] is None and row[kind] is not None:
            opener.erased = True
    if opener.erased:
        made["erased"] = True
    if opener.masks:
        made = mask_row(made, [name for name, _ in opener.columns if _held(name, row[name])])
    if opener.names:
        _name(made)
    return made


#: Columns of which some values are not sealed: ids that are sealed in the payload, and texts that a query or the service itself wrote.
_PARTLY = frozenset(("cause", "trouble", "provider_message_id", "providerMessageId"))


def _held(column: str, stored: Any) -> bool:
    """Return whether the stored value of a column is sealed."""
    if column == "error":
        return stored is not None and is_sealed(stored.get("text"))
    return is_sealed(stored) if column in _PARTLY else stored is not None


def open_or_close(row: Row, opener: Opener) -> Row:
    """Open a row, or return it without its sealed values."""
    try:
        return open_row(row, opener)
    except (NoKey, Tampered):
        return row | {name: None for name in COLUMNS if name in row} | {"closed": True}


def _address(_: Row, sealed: bytes, opener: Opener) -> str | None:
    known: str | None = opener.memo.get((PLACE, sealed))
    if known is not None:
        return known
    if (key := opener(sealed)) is None:
        return None
    value = opener.memo.texts[PLACE, sealed] = key.open(sealed, PLACE).decode()
    if key.recent is not None:
        key.recent.keep(PLACE, sealed, value)  # the events of a handle come together
    return value


def _payload(row: Row, payload: dict[str, Any], opener: Opener) -> dict[str, Any]:
    opened = open_payload(row["type"], payload, opener, opener.memo)
    if row.get("related_kind") is not None:
        pair = ((row["handle_kind"], row["handle_value"]), (row["related_kind"], row["related_value"]))
        values = [None if sealed is None else _address(row, sealed, opener) for _, sealed in pair]
        opened["handles"] = [
            {"kind": kind} | ({} if value is None else {"value": value})
            for (kind, _), value in zip(pair, values, strict=True)
        ]
    return opened


def _content(_: Row, content: dict[str, Any], opener: Opener) -> dict[str, Any]:
    return open_content(content, opener, opener.memo)


def _error(_: Row, error: dict[str, Any], opener: Opener) -> dict[str, Any]:
    text = error.get("text")
    return error | {"text": open_value(text, ERROR_TEXT, opener, opener.memo)} if is_sealed(text) else error


def _request(_: Row, request: dict[str, Any], opener: Opener) -> dict[str, Any]:
    return open_payload(REQUEST, request, opener)


def _dialled(_: Row, handles: list[list[Any]], opener: Opener) -> list[list[Any]]:
    """Open the addresses of a message; the address of an erased handle is left out."""
    opened = []
    for channel, address, *id in handles:
        kind, _, sealed = address.partition("\x1f")
        value = open_value(sealed, DIALLED, opener)
        if value is not None:
            opened.append([channel, f"{kind}\x1f{value}", *id])
    return opened


def _cause(_: Row, cause: str, opener: Opener) -> str | None:
    """Open the cause of a message's state. A cause that a query wrote is not sealed; any other cause is."""
    return open_value(cause, CAUSE, opener) if is_sealed(cause) else cause


def _decided(_: Row, cause: str, opener: Opener) -> str | None:
    text: str | None = open_value(cause, DECIDED, opener, opener.memo)
    return text


def _trouble(_: Row, trouble: str, opener: Opener) -> str | None:
    return open_value(trouble, TROUBLE, opener) if is_sealed(trouble) else trouble


def _theirs(_: Row, id: str, opener: Opener) -> str | None:
    return open_value(id, THEIR_ID, opener, opener.memo) if is_sealed(id) else id


def _name(row: Row) -> None:
    """Replace the digests of ids in a row by the ids that its opened payload has."""
    if (payload := row.get("payload")) is None:
        return
    if row.get("provider_message_id") is not None:
        row["provider_message_id"] = payload.get(THEIRS)
    if row.get("source_event_id") is not None and row.get("webhook_id") is None and REPORTED_AS in payload:
        row["source_event_id"] = payload.pop(REPORTED_AS)


#: The columns of a handle's kind and value.
PAIRS = (("handle_kind", "handle_value"), ("related_kind", "related_value"), ("address_kind", "address_value"))
#: The functions that open the values of each sealed column.
COLUMNS: dict[str, Callable[[Row, Any, Opener], Any]] = {
    "payload": _payload,
    "handle_value": _address,
    "address_value": _address,
    "of_value": _address,
    "value": _address,
    "content": _content,
    "error": _error,
    "provider_message_id": _theirs,
    "providerMessageId": _theirs,
    "cause": _cause,
    "decided_cause": _decided,
    "trouble": _trouble,
    "request": _request,
    "handles": _dialled,
}
