"""The ids that events have in the log, where these are not the adapter's."""

import psycopg

from schemas.events import Event, Handle
from schemas.numbering import canonical
from sql.handles import LINK, PLACE, ROOT
from sql.personal import HandleKey
from tests.support.keys import SEAL

#: The ids of handles, by kind and value.
Known = dict[tuple[str, str], str]


async def known_handles(connection: psycopg.AsyncConnection, client: str = "default") -> Known:
    """Return the ids of a client's handles."""
    query = "SELECT h.kind, h.id, h.salt, h.sealed, p.root FROM threadline.handles AS h JOIN threadline.peppers AS p USING (client_id) WHERE client_id = %s"
    known: Known = {}
    for kind, id, salt, sealed, root in await (await connection.execute(query, [client])).fetchall():
        key = HandleKey(id, salt, SEAL.unseal(root, ROOT.format(client)))
        known[kind, key.open(sealed, PLACE).decode()] = str(id)
    return known


def logged_id(event: Event, known: Known) -> str:
    """Return the source's id of an event as the log has it: that of a link is made of the ids of its two handles."""
    if event.type != LINK:
        return event.source_event_id
    handles = (canonical(Handle(one["kind"], one["value"])) for one in event.payload["handles"])
    ids = sorted(known.get((handle.kind, handle.value), "unknown") for handle in handles)
    return f"linked {' '.join(ids)}"
