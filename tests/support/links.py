"""The ids that events have in the log, where these are not the adapter's."""

import psycopg

from schemas.events import Event, Handle
from schemas.numbering import canonical
from sql.handles import LINK

#: The ids of handles, by kind and value.
Known = dict[tuple[str, str], str]


async def known_handles(connection: psycopg.AsyncConnection, client: str = "default") -> Known:
    """Return the ids of a client's handles."""
    query = "SELECT kind, value, id::text FROM threadline.handles WHERE client_id = %s"
    return {(kind, value): id for kind, value, id in await (await connection.execute(query, [client])).fetchall()}


def logged_id(event: Event, known: Known) -> str:
    """Return the source's id of an event as the log has it: that of a link is made of the ids of its two handles."""
    if event.type != LINK:
        return event.source_event_id
    handles = (canonical(Handle(one["kind"], one["value"])) for one in event.payload["handles"])
    ids = sorted(known.get((handle.kind, handle.value), "unknown") for handle in handles)
    return f"linked {' '.join(ids)}"
