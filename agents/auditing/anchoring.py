"""Anchors the audit outside the database: in a file, at an endpoint, on a Kafka topic, in a bucket.

Of several workers one at a time anchors, so that each sink gets one anchor each time. A sink that fails is tried again, and holds
up neither the others nor the sealing.
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from adapters.contract import HttpCall
from agents.failures import keep_on
from agents.health import WorkerHealth
from agents.transport import Transport
from app.auditing.anchors import Anchor, line_of, private_key
from app.auditing.bucket import put, writing
from app.erasing.kept import append_line
from app.kafka.producers import producer
from app.settings import Audit, Settings
from sql import EventStore
from sql.audit import Head
from webhooks.cancelled import rest

#: Seconds that a sink may take, and most seconds between two looks whether an anchor is due.
PATIENCE, LOOK = 15.0, 15.0

#: Takes the line of an anchor. Raises what keeps it from being kept.
Sink = Callable[[Anchor, bytes], Awaitable[None]]

log = structlog.get_logger(__name__)


class NotTaken(OSError):
    """The endpoint did not answer 2xx."""


class Anchoring:
    """The anchors of one worker."""

    def __init__(self, store: EventStore, health: WorkerHealth, settings: Settings, transport: Transport) -> None:
        audit = settings.audit
        self._store, self._health, self._settings, self._transport = store, health, settings, transport
        self._every = timedelta(seconds=audit.anchor_every)
        self._key = private_key(audit.key.get_secret_value()) if audit.key else None
        sinks: dict[str, Sink | None] = {
            "file": partial(append, audit.anchor_file) if audit.anchor_file else None,
            "http": partial(self._post, audit.anchor_url) if audit.anchor_url else None,
            "kafka": partial(self._publish, audit.anchor_topic) if audit.anchor_topic else None,
            "s3": partial(_store, settings.audit) if audit.s3.bucket else None,
        }
        self._sinks = {name: sink for name, sink in sinks.items() if sink is not None}

    @property
    def sinks(self) -> list[str]:
        """The names of the sinks that are set."""
        return list(self._sinks)

    async def run(self) -> None:
        """Anchor at every sink without end."""
        work = (
            keep_on(f"anchor {name}", partial(self._keep_anchoring, name, sink), self._health)
            for name, sink in self._sinks.items()
        )
        await asyncio.gather(*work, asyncio.Event().wait())

    async def anchor(self, name: str) -> bool:
        """Give a sink the anchor of the last batch, if one is due; return whether it took one. Raises what the sink raises."""
        return await self._store.anchor_audit(name, self._every, partial(self._take, self._sinks[name]))

    async def _keep_anchoring(self, name: str, _: Sink) -> None:
        while True:
            if await self.anchor(name):
                log.info("audit_anchored", sink=name)
            self._health.works(f"anchor {name}")
            await rest(min(LOOK, self._every.total_seconds() / 2))

    async def _take(self, sink: Sink, head: Head, at: datetime) -> None:
        assert self._key is not None  # the settings see to it
        anchor = Anchor(head["batch"], bytes(head["head"]), head["total"], at)
        async with asyncio.timeout(PATIENCE):
            await sink(anchor, line_of(anchor, self._key))

    async def _post(self, url: str, anchor: Anchor, line: bytes) -> None:
        """Post an anchor, signed as https://github.com/standard-webhooks/standard-webhooks describes it for Ed25519 (v1a)."""
        assert self._key is not None
        id, seconds = f"audit-{anchor.batch}-{int(anchor.at.timestamp())}", str(int(anchor.at.timestamp()))
        signature = base64.b64encode(self._key.sign(f"{id}.{seconds}.".encode() + line)).decode()
        headers = {
            "content-type": "application/json",
            "webhook-id": id,
            "webhook-timestamp": seconds,
            "webhook-signature": f"v1a,{signature}",
        }
        answer = await self._transport.carry(HttpCall("POST", url, headers, line), {}, trusted=True)
        if not 200 <= answer.status < 300:
            raise NotTaken(f"audit.anchor_url answered {answer.status}")

    async def _publish(self, topic: str, anchor: Anchor, line: bytes) -> None:
        publisher = producer(self._settings)
        await publisher.start()
        try:
            await publisher.send_and_wait(topic, line, key=str(anchor.batch).encode())
        finally:
            await publisher.stop()


async def _store(audit: Audit, anchor: Anchor, line: bytes) -> None:
    """Store an anchor in the bucket. Raises StoreAway."""
    bucket = writing(audit)
    assert bucket is not None  # it is set
    try:
        await asyncio.to_thread(put, bucket, audit.s3, anchor, line)
    finally:
        bucket.close()


async def append(file: Path, _: Anchor, line: bytes) -> None:
    """Append an anchor to a file, and wait until it is on disk. Raises OSError."""
    await asyncio.to_thread(append_line, file, line)
