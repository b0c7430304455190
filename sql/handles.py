"""Names handles for the store: by the digest of their address under the client's pepper.

The digest is HMAC-SHA-256 (RFC 2104) of `kind, U+001F, value`. A pepper is 32 random bytes of one client, kept encrypted in the
table `peppers` (`sql.sealing`): with the database alone, nobody can try which address a digest is of. The id of a handle is
random; deleting its digest unties all rows that name the id from the address. Its value is kept sealed under its own key (`sql.personal`).
"""

import hmac
import math
import re
import secrets
from typing import NamedTuple
from uuid import UUID

from schemas.events import Event, Handle
from schemas.numbering import canonical
from sql.parameters import clean
from sql.personal.keys import ROOT_BYTES

#: Bytes of a pepper.
PEPPER_BYTES = 32
#: The context in which a client's pepper is encrypted.
CONTEXT = "pepper of {}"
#: The context in which a client's root key is encrypted.
ROOT = "root key of {}"
#: The type of the event that links two handles.
LINK = "HandleLinked"
#: The kind of the handles that belong to nobody, and the value of the handle for events without a time.
NOBODY, UNDATED = "nobody", "undated"
#: The platform of those of nobody's handles whose keys seal the reason of one decision each.
DECISION = "decision"
#: The place of a handle's own value.
PLACE = b"handles.value"
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


class Known(NamedTuple):
    """A handle as it is stored: its id, and the salt of its key. `until`: the time after which no key may be derived from the salt, since
    the handle may have been erased; by a monotonic clock in seconds."""

    id: UUID
    salt: bytes
    until: float = math.inf


def nobody(client: str, event: Event) -> Owned:
    """Return the handle under whose key an event without a handle is sealed: one for each client and month. The month is that of the
    provider's clock, so that a repeated event has the same handle; events without a time share one handle for ever."""
    at = event.occurred_at
    return Owned(client, NOBODY, f"{at:%Y-%m}" if at is not None else UNDATED)


def decision(client: str, id: str) -> Owned:
    """Return the handle under whose key the reason of one decision on customers is sealed: that key can be destroyed alone."""
    return Owned(client, NOBODY, f"{DECISION}:{id}")


def linked(client: str, event: Event) -> tuple[Owned, Owned] | None:
    """Return the two handles of an event that links handles (`LINK`); None if its payload does not name them."""
    match event.payload:
        case {"handles": [{"kind": str(kind), "value": str(value)}, {"kind": str(other), "value": str(other_value)}]}:
            return owned_by(client, Handle(kind, value)), owned_by(client, Handle(other, other_value))
    return None


def digest_of(owned: Owned, pepper: bytes) -> bytes:
    """Return the digest by which a handle is found."""
    return hmac.digest(pepper, as_stored(f"{owned.kind}\x1f{owned.value}"), "sha256")


def value_of(owned: Owned) -> bytes:
    """Return a handle's value as it is sealed."""
    return as_stored(owned.value)


def as_stored(text: str) -> bytes:
    """Return a text as the store writes it."""
    return (text if text.isascii() and "\0" not in text else str(clean(text))).encode()


def platform_of(kind: str, value: str) -> str | None:
    """Return the platform of a handle. For a chat id it is the text before the colon; for a direct conversation in Slack
    (`slack:T1/D1`), in which one user may follow another, `slack direct`; for the handle of a decision's reason `decision`; for others
    None."""
    if kind == NOBODY and value.startswith(f"{DECISION}:"):
        return DECISION
    if kind != "chat_id" or (match := _PLATFORM.match(value)) is None:
        return None
    direct = match[1] == "slack" and "/D" in value[match.end() :]
    return "slack direct" if direct else match[1]


def new_pepper() -> bytes:
    """Return a new pepper."""
    return secrets.token_bytes(PEPPER_BYTES)


def new_root() -> bytes:
    """Return a new root key."""
    return secrets.token_bytes(ROOT_BYTES)
