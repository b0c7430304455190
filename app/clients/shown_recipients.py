"""A recipient as people are told of one, for the API and the command line alike."""

import re
from collections.abc import Mapping
from typing import Any

from app.sending.requests import REACHED_BY
from schemas.events import Handle
from schemas.handles import handle_of
from sql import EventStore

#: What looks like a telephone number, and is none in a form that says of which country.
_LIKE_A_PHONE = re.compile(r"[0-9 ().\-/]{7,24}")


def recipient_of(text: str, channel: str | None = None) -> Handle:
    """Whom the text names; with a `channel`, as that channel reaches them. Raises ValueError, worded for people, where it
    names nobody there: an address that is taken for another kind of name stops no message."""
    handle = handle_of(text, channel)
    how = "a phone number is written with + and its country's code, as +15551234567; a service's own id as user_id:…"
    if channel is not None and handle.kind not in REACHED_BY[channel]:
        raise ValueError(f"it is no address for {channel} ({how})")
    bare = handle.kind in ("user_id", "other") and ":" not in text
    if bare and _LIKE_A_PHONE.fullmatch(text.strip()) and not text.strip().isdecimal():
        raise ValueError(f"it looks like a phone number without its country ({how})")
    return handle


async def told(store: EventStore, client: str, handle: Handle) -> dict[str, Any]:
    """`handle`, `zone` (None: not known) and `consents`, as the API tells them; of one nobody said anything, no more
    than the handle."""
    profile = await store.profile(client, handle)
    return {
        "handle": {"kind": handle.kind, "value": handle.value},
        "zone": profile and profile["zone"],
        "consents": [consent(row) for row in await store.consents(client, handle)],
    }


def consent(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the store's: `since` is the last opt-out, `until` the opt-in after it, `basis` what the state rests on."""
    out = row["opted_out"]
    return {
        "channel": row["channel"],
        "state": "out" if out else "in",
        "since": row["opted_out_at"],
        "until": None if out else row["opted_in_at"],
        "basis": row["opted_out_basis"] if out else row["opted_in_basis"],
    }
