"""Reads and shows recipients, for the API and the command line."""

import re
from collections.abc import Mapping
from typing import Any

from app.sending.requests import REACHED_BY
from schemas.events import Handle
from schemas.handles import handle_of
from schemas.typed_handles import searched
from sql import EventStore
from sql.personal import mask_handle
from sql.showing import shows

#: Looks like a telephone number, but does not say of which country.
_LIKE_A_PHONE = re.compile(r"[0-9 ().\-/]{7,24}")


def recipient_of(text: str, channel: str | None = None) -> Handle:
    """Return the recipient that a text names, on a `channel` if given. Raises ValueError, with a message for people, where it
    is no address there: a consent recorded for a wrong kind of address would stop no message."""
    handle = searched(text) if channel is None else handle_of(text, channel)
    how = "a phone number is written with + and its country's code, as +15551234567; a service's own id as user_id:…"
    if channel is not None and handle.kind not in REACHED_BY[channel]:
        raise ValueError(f"it is no address for {channel} ({how})")
    bare = handle.kind in ("user_id", "other") and ":" not in text
    if bare and _LIKE_A_PHONE.fullmatch(text.strip()) and not text.strip().isdecimal():
        raise ValueError(f"it looks like a phone number without its country ({how})")
    return handle


async def recipient_json(store: EventStore, client: str, handle: Handle) -> dict[str, Any]:
    """Return a recipient as JSON: `handle`, `zone` (None: not known) and `consents` (empty: none on record)."""
    profile = await store.profile(client, handle)
    return {
        "handle": handle_json(handle),
        "zone": profile and profile["zone"],
        "consents": [consent(row) for row in await store.consents(client, handle)],
    }


def handle_json(handle: Handle) -> dict[str, Any]:
    """Return a handle as JSON, masked for who may not see personal data."""
    return {"kind": handle.kind, "value": handle.value if shows() else mask_handle(handle.kind, handle.value)}


def consent(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a consent of the store as JSON. `since`: the last opt-out; `until`: the opt-in after it; `basis`: of the state."""
    out = row["opted_out"]
    return {
        "channel": row["channel"],
        "state": "out" if out else "in",
        "since": row["opted_out_at"],
        "until": None if out else row["opted_in_at"],
        "basis": row["opted_out_basis"] if out else row["opted_in_basis"],
    }
