"""Healthy records of several clients between hostile ones; each must be on its timeline soon."""

import asyncio
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import psycopg

from tests.faults.poison import REPORTED, WEBHOOKS
from tests.support.links import id_keys
from webhooks.record import Webhook, encode

CLIENTS = ("default", "north", "south")
SOURCE = "canary"
_EVERY = 0.05

# Both queries use keys, as a run may have a million records. An event is projected in the transaction that appends it.
_SEEN: LiteralString = """
SELECT name FROM unnest(%(clients)s::text[], %(ids)s::text[], %(events)s::text[]) AS o (client, id, name)
WHERE EXISTS (SELECT FROM threadline.events AS e WHERE e.id = threadline.event_id(o.client, 'canary', o.id))
UNION ALL
SELECT message_id FROM threadline.messages WHERE client_id = 'default' AND message_id = ANY(%(names)s)
"""
_ON_TIMELINES: LiteralString = """
SELECT count(DISTINCT coalesce(message_id, provider_message_id)) FROM threadline.interactions
WHERE (message_id LIKE 'canary-%' OR provider = 'canary') AND NOT superseded
"""


@dataclass
class Canaries:
    """Makes canaries, and records how long each takes from Kafka's acknowledgement to its timeline, in seconds."""

    dsn: str
    seed: int
    made: int = 0
    waiting: dict[str, float] = field(default_factory=dict)
    took: dict[str, float] = field(default_factory=dict)

    def one(self, topic: str) -> tuple[str, bytes]:
        """Make a canary for a topic; return its name and its record's value."""
        self.made += 1
        name = f"canary-{self.seed}-{self.made}"
        if topic == WEBHOOKS:
            return name, _webhook(name, self._client(name), self.made)
        document = _event(name, self._client(name)) if topic == REPORTED else _request(name)
        return name, json.dumps(document).encode()

    def sung(self, name: str) -> None:
        """Start a canary's time: Kafka has acknowledged it."""
        self.waiting[name] = time.monotonic()

    async def watch(self) -> None:
        """Look for the canaries that have arrived, until cancelled."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as db:
            while True:
                if waiting := dict(self.waiting):
                    keys = await id_keys(db)
                    known = [name for name in waiting if self._client(name) in keys]
                    clients = [self._client(name) for name in known]
                    ids = [keys[client].digest(name) for client, name in zip(clients, known, strict=True)]
                    wanted = {"clients": clients, "ids": ids, "events": known, "names": list(waiting)}
                    for (name,) in await (await db.execute(_SEEN, wanted)).fetchall():
                        if name in self.waiting:
                            self.took[name] = time.monotonic() - self.waiting.pop(name)
                await asyncio.sleep(_EVERY)

    async def on_timelines(self) -> int:
        """Return the number of canaries on timelines."""
        async with await psycopg.AsyncConnection.connect(self.dsn) as db:
            return int((await (await db.execute(_ON_TIMELINES)).fetchone() or (0,))[0])

    def _client(self, name: str) -> str:
        return CLIENTS[int(name.rpartition("-")[2]) % len(CLIENTS)]


def _number(name: str) -> str:
    return f"+1555{int(name.rpartition('-')[2]):07d}"


def _event(name: str, client: str) -> dict[str, Any]:
    data = {"messageId": name, "channel": "sms", "from": _number(name), "content": {"text": "tweet"}}
    return {
        "specversion": "1.0", "id": name, "source": SOURCE, "type": "message.received", "clientid": client, "data": data,
    }  # fmt: skip


def _webhook(name: str, client: str, number: int) -> bytes:
    """Return an envelope, in which the sender chooses the message's id."""
    data = {"messageId": name, "channel": "sms", "from": _number(name), "content": {"text": "tweet"}}
    body = json.dumps({"source": SOURCE, "eventType": "message.received", "id": name, "data": data}).encode()
    url, headers = "https://hooks.example.com/webhooks/aggregate", {"content-type": "application/json"}
    id = str(UUID(int=number, version=4))
    return encode(Webhook(id, SOURCE, "envelope", client, "POST", url, headers, datetime.now(UTC), True, body))


def _request(name: str) -> dict[str, Any]:
    return {
        "clientId": "default", "messageId": name, "to": {"sms": _number(name)}, "body": "tweet", "notBefore": "2099-01-01T00:00:00Z",
    }  # fmt: skip
