"""Names handles for the store: by the digest of their address under the client's pepper.

The digest is HMAC-SHA-256 (RFC 2104) of `kind, U+001F, value`. A pepper is 32 random bytes of one client, kept encrypted in the
table `peppers` (`sql.sealing`): with the database alone, nobody can try which address a digest is of. The id of a handle is
random; deleting its row unties all that names it from the address.
"""

import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg.types.json import Jsonb

from schemas.events import Event, Handle
from schemas.numbering import canonical
from sql.parameters import always_written, clean, json
from sql.rows import Row

#: Bytes of a pepper.
PEPPER_BYTES = 32
#: The context in which a client's pepper is encrypted.
CONTEXT = "pepper of {}"
#: What an event is that links two handles.
LINK = "HandleLinked"
_PLATFORM = re.compile(r"([a-z_]{1,32}):")


class Owned(NamedTuple):
    """A handle of a client, in its canonical spelling."""

    client: str
    kind: str
    value: str


def owned_by(client: str, handle: Handle) -> Owned:
    """Return a handle of a client, in its canonical spelling."""
    known = canonical(handle)
    return Owned(client, known.kind, known.value)


class Places:
    """Numbers the distinct handles of a batch, from 1, as arrays are numbered in SQL."""

    def __init__(self) -> None:
        self.owned: dict[Owned, int] = {}

    def of(self, client: str, handle: Handle | None) -> int | None:
        """Return the number of a client's handle; None for none."""
        if handle is None:
            return None
        owned = owned_by(client, handle)
        return self.owned.setdefault(owned, len(self.owned) + 1)


def placed(rows: Sequence[Row], places: Places) -> dict[str, Any]:
    """Number the handles of a batch of events, and return the parameters `own` and `other`: for each event the number of its
    handle, and of the one that it is linked with."""
    pairs = [_pair(row[0], row[1], places) for row in rows]
    return {"own": [own for own, _ in pairs], "other": [other for _, other in pairs]}


def only(named: dict[str, Any], rows: Sequence[int]) -> dict[str, Any]:
    """Return the parameters of some rows of a batch, from those of all."""
    return named | {name: [named[name][place] for place in rows] for name in ("own", "other")}


def _pair(event: Event, client: str, places: Places) -> tuple[int | None, int | None]:
    match event.payload:
        case {
            "handles": [{"kind": str(kind), "value": str(value)}, {"kind": str(other), "value": str(other_value)}]
        } if event.type == LINK:
            return places.of(client, Handle(kind, value)), places.of(client, Handle(other, other_value))
    return places.of(client, event.handle), None


def listed(handles: Iterable[Owned], peppers: dict[str, bytes]) -> Jsonb:
    """Return the parameter `handles` that `queries/named.sql` reads: for each its client, kind, value, platform and digest."""
    rows = [
        (*owned, platform_of(owned.kind, owned.value), digest_of(owned, peppers[owned.client]).hex())
        for owned in handles
    ]
    return json(always_written(rows))


def digest_of(owned: Owned, pepper: bytes) -> bytes:
    """Return the digest by which a handle is found."""
    text = f"{owned.kind}\x1f{owned.value}"
    if not text.isascii() or "\0" in text:  # as the store writes it
        text = clean(text)
    return hmac.digest(pepper, text.encode(), "sha256")


def platform_of(kind: str, value: str) -> str | None:
    """Return the platform of a chat id, which stands before its colon; of a direct conversation in Slack (`slack:T1/D1`), in
    which one user follows another, `slack direct`; None for other kinds."""
    if kind != "chat_id" or (match := _PLATFORM.match(value)) is None:
        return None
    direct = match[1] == "slack" and "/D" in value[match.end() :]
    return "slack direct" if direct else match[1]


def new_pepper() -> bytes:
    """Return a new pepper."""
    return secrets.token_bytes(PEPPER_BYTES)
