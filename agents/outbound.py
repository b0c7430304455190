"""Send requests from `messages.requested` and `messages.requested.<channel>`, into the messages that are due."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import structlog

from agents.failures import until_done
from agents.pipeline import Pipeline
from agents.records.outcome import Outcome, outcome_of
from agents.records.parted import apart
from app.clients.configured import Client, Clients, UnknownClient
from app.sending.incoming import Incoming
from app.sending.requests import Request, read_request
from schemas import SchemaError
from schemas.events import CHANNELS, Error
from schemas.json_text import read_json

log = structlog.get_logger(__name__)

TOPIC = "messages.requested"
TOPICS = (TOPIC, *(f"{TOPIC}.{channel}" for channel in CHANNELS))

#: A request's outcome, with it as the store takes it.
Taken = tuple[Outcome, Incoming]


def prepare(record: Any, most: int) -> Outcome:
    """The outcome of a record, whatever is in it."""
    return outcome_of(record, read, most)


def read(outcome: Outcome) -> None:
    """Read one. Raises SchemaError."""
    record = outcome.record
    channel = record.topic.removeprefix(TOPIC).removeprefix(".") or None
    document: Any = None
    try:
        document = read_json(record.value)
        outcome.request = read_request(document, channel=channel)
    except SchemaError as error:
        outcome.refused = _named(document, error)
        raise
    # It is kept with its message and with the event that says so.
    outcome.size = 2 * len(record.value)


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

    async def _store(self, outcomes: list[Outcome]) -> None:
        taken = [(outcome, incoming) for outcome in outcomes if (incoming := await self._incoming(outcome)).messages]
        if taken:
            await apart(taken, self._accept, self._refuse, self.health)
        if letters := [outcome for outcome in outcomes if outcome.letter is not None]:
            await super()._store(letters)

    async def _accept(self, taken: Sequence[Taken]) -> None:
        all_of_them = Incoming()
        for _, incoming in taken:
            all_of_them.join(incoming)
        verdicts = await self.store.accept(all_of_them.messages, all_of_them.lanes, all_of_them.rows)
        for (outcome, _), verdict in zip(taken, verdicts, strict=True):
            if not verdict.same and outcome.request is not None:
                words = "another request was taken under this messageId (or idempotencyKey): the first one counts"
                outcome.refuse(words, {"path": "$.messageId"})
        self.health.counts["requests"] += sum(verdict.fresh for verdict in verdicts)
        self.health.counts["duplicates"] += sum(not verdict.fresh for verdict in verdicts)

    async def _refuse(self, taken: Taken, error: Exception) -> None:
        """A request that the database can never hold."""
        outcome, _ = taken
        log.error("a request cannot be stored", offset=outcome.record.offset, error=type(error).__name__)
        outcome.refuse(f"cannot be stored: {type(error).__name__}: {error}")

    async def _incoming(self, outcome: Outcome) -> Incoming:
        """The request as the store takes it; without a message where there is none to take, and it is only a dead letter."""
        incoming, at = Incoming(), datetime.fromtimestamp(outcome.received, UTC)
        try:
            if outcome.refused is not None:
                incoming.reject(*outcome.refused, at)
            elif outcome.request is not None:
                await self._add(incoming, outcome, outcome.request, at)
        except Exception as error:  # of this request or its client alone: its neighbours are to be taken
            log.error("a request cannot be taken", offset=outcome.record.offset, error=type(error).__name__)
            outcome.refuse(f"cannot be taken: {type(error).__name__}: {error}")
            return Incoming()
        return incoming

    async def _add(self, incoming: Incoming, outcome: Outcome, request: Request, at: datetime) -> None:
        client = await until_done("database", lambda: self._client(request.client_id), self.health)
        if client is None:
            words = f"no client {request.client_id!r} is configured, and no source is its"
            outcome.refuse(words, {"path": "$.clientId"})
        elif error := incoming.add(request, client, at):
            path = "$.sendBefore" if error.reason == "expired" else "$.channel"
            outcome.refuse(error.text or error.reason, {"path": path})
            incoming.reject(request, error, at)

    async def _client(self, client_id: str) -> Client | None:
        try:
            return await self.clients.client(client_id)
        except UnknownClient:
            return None
