"""Send requests from `messages.requested` and `messages.requested.<channel>`, into the messages that are due."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from agents.batches import timestamp_of
from agents.failures import until_done
from agents.pipeline import Entry, Pipeline, letter_of
from agents.tracing import process
from app.sending.clients import Client, Clients, UnknownClient
from app.sending.incoming import Incoming
from app.sending.requests import Request, read_request
from schemas import SchemaError
from schemas.events import CHANNELS, Error
from schemas.json_text import read_json

log = structlog.get_logger(__name__)

TOPIC = "messages.requested"
TOPICS = (TOPIC, *(f"{TOPIC}.{channel}" for channel in CHANNELS))


def prepare(records: Sequence[Any]) -> list[Entry]:
    """One entry a record, whatever is in it."""
    return [_entry(record) for record in records]


def _entry(record: Any) -> Entry:
    received = timestamp_of(record)
    entry = Entry(record, received, span=process(record))
    channel = record.topic.removeprefix(TOPIC).removeprefix(".") or None
    document: Any = None
    try:
        document = read_json(record.value or b"")
        entry.request = read_request(document, channel=channel)
    except SchemaError as error:
        entry.dead.append(letter_of(record, str(error), detail={"path": error.path}))
        entry.refused = _named(document, error)
    except Exception as error:  # a fault of ours must not stop the partition
        log.exception("cannot read a request", offset=record.offset, partition=record.partition)
        entry.dead.append(letter_of(record, f"reading failed: {type(error).__name__}: {error}"))
    return entry


def _named(document: Any, error: SchemaError) -> tuple[Request, Error] | None:
    """A request that cannot be read, but names its client and message: who asked can be told."""
    if not isinstance(document, dict):
        return None
    client, message = document.get("clientId"), document.get("messageId")
    if not isinstance(client, str) or not isinstance(message, str) or not 0 < len(message) <= 128 or not client:
        return None
    request = Request(client[:255], message, {}, b"", (), {}, 1, None, None)
    return request, Error("request", str(error)[:1024], "unknown")


class Intake(Pipeline):
    """Takes requests as `Pipeline` takes events: in batches, in one transaction, retried until it is done."""

    def __init__(self, *arguments: Any, clients: Clients) -> None:
        super().__init__(*arguments)
        self.clients = clients

    async def _store(self, entries: list[Entry]) -> None:
        incoming, taken = Incoming(), []
        for entry in entries:
            at = datetime.fromtimestamp(entry.received, UTC)
            if entry.request is not None:
                taken += [entry] if await self._add(incoming, entry, entry.request, at) else []
            elif entry.refused is not None:
                incoming.reject(*entry.refused, at)
                taken.append(entry)
        if incoming.messages:
            verdicts = await until_done(
                "database", lambda: self.store.accept(incoming.messages, incoming.lanes, incoming.rows), self.health
            )
            for entry, verdict in zip(taken, verdicts, strict=True):
                if not verdict.same and entry.request is not None:
                    words = "another request was taken under this messageId (or idempotencyKey): the first one counts"
                    entry.dead.append(letter_of(entry.record, words, detail={"path": "$.messageId"}))
            self.health.counts["requests"] += sum(verdict.fresh for verdict in verdicts)
            self.health.counts["duplicates"] += sum(not verdict.fresh for verdict in verdicts)
        if any(entry.dead for entry in entries):
            await super()._store([Entry(entry.record, entry.received, dead=entry.dead) for entry in entries])

    async def _add(self, incoming: Incoming, entry: Entry, request: Request, at: datetime) -> bool:
        client = await until_done("database", lambda: self._client(request.client_id), self.health)
        if client is None:
            words = f"no client {request.client_id!r} is configured, and no source is its"
            entry.dead.append(letter_of(entry.record, words, detail={"path": "$.clientId"}))
            return False
        if error := incoming.add(request, client, at):
            path = "$.sendBefore" if error.reason == "expired" else "$.channel"
            entry.dead.append(letter_of(entry.record, error.text or error.reason, detail={"path": path}))
            incoming.reject(request, error, at)
        return True

    async def _client(self, client_id: str) -> Client | None:
        try:
            return await self.clients.client(client_id)
        except UnknownClient:
            return None
