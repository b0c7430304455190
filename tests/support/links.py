"""The ids that events have in the log: digests of those that adapters and services gave them."""

from collections.abc import Iterable

import psycopg

from schemas.event_data import OURS
from schemas.events import Event, Handle
from schemas.numbering import canonical
from sql.handles import LINK, PLACE, ROOT
from sql.keyed_ids import IdKey
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


async def id_keys(connection: psycopg.AsyncConnection) -> dict[str, IdKey]:
    """Return the keys of all clients' ids."""
    rows = await (await connection.execute("SELECT client_id, root FROM threadline.peppers")).fetchall()
    return {client: IdKey(SEAL.unseal(root, ROOT.format(client))) for client, root in rows}


async def digests(dsn: str, ids: Iterable[str], client: str = "default") -> dict[str, str]:
    """Return ids by what the log has in their place; none of a client that has no key yet."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        key = (await id_keys(connection)).get(client)
    return {} if key is None else {key.digest(id): id for id in ids}


def logged_id(event: Event, known: Known, ids: IdKey) -> str:
    """Return the source's id of an event as the log has it: that of a link is made of the ids of its two handles."""
    if event.type != LINK:
        return event.source_event_id if event.source == OURS else ids.digest(event.source_event_id)
    handles = (canonical(Handle(one["kind"], one["value"])) for one in event.payload["handles"])
    pair = sorted(known.get((handle.kind, handle.value), "unknown") for handle in handles)
    return f"linked {' '.join(pair)}"
