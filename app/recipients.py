"""A recipient as people are told of one, for the API and the command line alike."""

from collections.abc import Mapping
from typing import Any

from schemas.events import Handle
from sql import EventStore


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
