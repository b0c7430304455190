"""Counts where each hostile record ended: in events, in messages, in a dead letter, or nowhere."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, LiteralString

import psycopg

from adapters import interpret
from adapters.contract import Request
from schemas.cloudevents import read_cloudevent
from tests.faults.poison import REPORTED, WEBHOOKS, Record
from tests.support.links import id_keys
from webhooks.record import decode

_DEAD: LiteralString = """
SELECT topic, partition, "offset" FROM threadline.dead_letters
JOIN unnest(%(topics)s::text[], %(partitions)s::int[], %(offsets)s::bigint[]) AS o (topic, partition, "offset")
USING (topic, partition, "offset")
"""
_EVENTS: LiteralString = """
SELECT e.id FROM unnest(%s::text[], %s::text[], %s::text[]) AS x (client, source, name)
JOIN threadline.events AS e ON e.id = threadline.event_id(x.client, x.source, x.name)
"""
_REQUESTS: LiteralString = "SELECT message_id FROM threadline.messages WHERE message_id = ANY(%s)"


@dataclass
class Outcome:
    """The counts of a run. Latencies in seconds."""

    seed: int
    records: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    canaries: int = 0
    on_timelines: int = 0
    slowest: float = 0.0
    median: float = 0.0
    lag: int = 0
    relay_lag: int = 0
    same_worker: bool = False
    ready: bool = False
    unready: str = ""
    seconds: float = 0.0

    def good(self, within: float) -> bool:
        """Return whether nothing was stopped, lost or late."""
        whole = not (self.lost or self.lag or self.relay_lag) and self.canaries == self.on_timelines
        return whole and self.same_worker and self.ready and self.slowest <= within


@dataclass(slots=True)
class Put:
    """A record with its place on Kafka."""

    record: Record
    partition: int
    offset: int


async def account(db: psycopg.AsyncConnection[Any], put: Sequence[Put], counted: Counter[str]) -> list[Put]:
    """Count the records by where they ended; return those that are nowhere."""
    places = [(each.record.topic, each.partition, each.offset) for each in put]
    topics, partitions, offsets = map(list, zip(*places, strict=True)) if places else ([], [], [])
    given = {"topics": topics, "partitions": partitions, "offsets": offsets}
    dead = {tuple(row) for row in await (await db.execute(_DEAD, given)).fetchall()}
    lost = []
    for each, place in zip(put, places, strict=True):
        if place in dead:
            counted["dead letters"] += 1
        elif (found := await _elsewhere(db, each.record)) is not None:
            counted[found] += 1
        else:
            lost.append(each)
    return lost


async def _elsewhere(db: psycopg.AsyncConnection[Any], record: Record) -> str | None:
    """Return the table that has the events or the message of a record without a dead letter, by its content; or
    None."""
    try:
        return await _place(db, record)
    except Exception:  # a record that cannot be read must become a dead letter, and is none yet
        return None


async def _place(db: psycopg.AsyncConnection[Any], record: Record) -> str | None:
    if record.topic == WEBHOOKS:
        return await _webhook(db, record.value or b"")
    if record.topic == REPORTED:
        reported = read_cloudevent(record.value or b"", datetime.now(UTC))
        event = reported.event
        return "events" if await _all(db, [(reported.client_id, event.source, event.source_event_id)]) else None
    message = json.loads(record.value or b"null")
    ids = [value for name in ("messageId", "idempotencyKey") if isinstance(value := message.get(name), str)]
    found = await (await db.execute(_REQUESTS, [ids])).fetchone()
    return "messages" if found else None


async def _webhook(db: psycopg.AsyncConnection[Any], value: bytes) -> str | None:
    webhook = decode(value)
    request = Request(webhook.method, webhook.url, webhook.headers, webhook.body, webhook.received_at, webhook.source)
    made = interpret(request, webhook.adapter)
    if not made.events:
        return None if made.unprocessable else "no event"
    wanted = [(webhook.client, event.source, event.source_event_id) for event in made.events]
    return "events" if await _all(db, wanted) else None


async def _all(db: psycopg.AsyncConnection[Any], wanted: Sequence[tuple[str, str, str]]) -> bool:
    clean = [[each.replace("\x00", "\ufffd") for each in one] for one in set(wanted)]
    keys = await id_keys(db)
    if not {client for client, _, _ in clean} <= keys.keys():
        return False  # nothing of that client is in the log
    clean = [[client, source, keys[client].digest(id)] for client, source, id in clean]
    clients, sources, ids = (list(each) for each in zip(*clean, strict=True))
    found = await (await db.execute(_EVENTS, [clients, sources, ids])).fetchall()
    return len(set(found)) == len({tuple(each) for each in clean})
