"""Accepts the send requests of `messages.requested` and `messages.requested.<channel>`."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog

from agents.failures import until_done
from agents.pipeline import Pipeline
from agents.records.outcome import RecordOutcome, outcome_of
from agents.records.parted import apart
from app.clients.configured import Client, Clients, UnknownClient
from app.sending.incoming import failed_message, new_message, traced
from app.sending.requests import Request, read_request
from schemas import SchemaError
from schemas.chosen_ids import address_in
from schemas.events import CHANNELS, MAX_ERROR_TEXT, Error, Handle
from schemas.faults import line
from schemas.handles import handle_of
from schemas.json_text import read_json
from sql import NewMessage
from webhooks.cancelled import pass_on
from webhooks.spans import traceparent_of

log = structlog.get_logger(__name__)

TOPIC = "messages.requested"
TOPICS = (TOPIC, *(f"{TOPIC}.{channel}" for channel in CHANNELS))

#: A record's outcome, with the message that it becomes.
Message = tuple[RecordOutcome, NewMessage]


def prepare(record: Any, most: int) -> RecordOutcome:
    """Return the outcome of a record, whatever it contains."""
    return outcome_of(record, read, most)


def read(outcome: RecordOutcome) -> None:
    """Read the request in the outcome's record, and set `request`, or `refused` before it raises SchemaError."""
    record = outcome.record
    channel = record.topic.removeprefix(TOPIC).removeprefix(".") or None
    document: Any = None
    try:
        document = read_json(record.value)
        outcome.request = read_request(document, channel=channel)
        outcome.client = outcome.request.client_id
    except SchemaError as error:
        outcome.refused, outcome.client = _named(document, error), _client_in(document)
        raise
    # The request is stored twice: with its message, and in the event of its acceptance.
    outcome.size = 2 * len(record.value)


def _named(document: Any, error: SchemaError) -> tuple[Request, Error] | None:
    """Return a substitute for an invalid request, with the error, so that the client can be notified. Return None if the request
    does not name its client and message, or if the message's id is at fault."""
    if not isinstance(document, dict):
        return None
    client, message = document.get("clientId"), document.get("messageId")
    if not isinstance(client, str) or not isinstance(message, str) or not 0 < len(message) <= 128 or not client:
        return None
    # The notification would show such an id, which has an address in it, in clear.
    if any(path == "$.messageId" for path, _ in error.faults) or address_in(message, _recipients(document.get("to"))):
        return None
    request = Request(client[:255], message, {}, b"", (), {}, 1, None, None)
    return request, Error("request", line(error.faults, MAX_ERROR_TEXT), "unknown")


def _recipients(to: Any) -> list[Handle]:
    """Return the addresses that an invalid request names, as far as they can be read."""
    found = []
    for channel, text in (to if isinstance(to, dict) else {None: to}).items():
        with suppress(ValueError):
            if isinstance(text, str):
                found.append(handle_of(text, channel if channel in CHANNELS else None))
    return found


def _client_in(document: Any) -> str | None:
    """Return the client that an invalid request names, or None."""
    client = document.get("clientId") if isinstance(document, dict) else None
    return client if isinstance(client, str) and 0 < len(client) <= 255 and "\0" not in client else None


class Intake(Pipeline):
    """Accepts requests as `Pipeline` appends events: in batches, in one transaction, retried until it is done."""

    def __init__(self, *arguments: Any, clients: Clients) -> None:
        super().__init__(*arguments)
        self.clients = clients

    async def _store(self, outcomes: list[RecordOutcome]) -> None:
        found = [(outcome, await self._message(outcome)) for outcome in outcomes]
        if messages := [(outcome, message) for outcome, message in found if message is not None]:
            await apart(messages, self._accept, self._refuse, self.health)
        if letters := [outcome for outcome in outcomes if outcome.letter is not None]:
            await super()._store(letters)

    async def _accept(self, messages: Sequence[Message]) -> None:
        replays = [outcome.replay if outcome.letter is None else None for outcome, _ in messages]
        accepted = await self.store.accept([message for _, message in messages], replays=replays)
        for (outcome, _), each in zip(messages, accepted, strict=True):
            if outcome.replay is not None:
                outcome.replay.events = int(each.fresh)
            if not each.same and outcome.request is not None:
                words = "another request was taken under this messageId (or idempotencyKey): the first one counts"
                outcome.refuse(words, {"path": "$.messageId"})
        self.health.counts["requests"] += sum(each.fresh for each in accepted)
        self.health.counts["duplicates"] += sum(not each.fresh for each in accepted)

    async def _refuse(self, message: Message, error: Exception) -> None:
        """Make a dead letter of a request that the database can never store."""
        outcome, _ = message
        log.error("a request cannot be stored", offset=outcome.record.offset, error=type(error).__name__)
        outcome.refuse(f"cannot be stored: {type(error).__name__}: {error}")

    async def _message(self, outcome: RecordOutcome) -> NewMessage | None:
        """Return the message of a record's request, or None if the record is only a dead letter."""
        at = datetime.fromtimestamp(outcome.received, UTC)
        try:
            if outcome.refused is not None:
                return failed_message(*outcome.refused, at)
            if outcome.request is None:
                return None
            message = await self._routed(outcome, outcome.request, at)
            return message and traced(message, traceparent_of(outcome.span))
        except Exception as error:  # a fault of this request or its client: accept the others
            pass_on(error)
            log.error("a request cannot be accepted", offset=outcome.record.offset, error=type(error).__name__)
            outcome.refuse(f"cannot be accepted: {type(error).__name__}: {error}")
            return None

    async def _routed(self, outcome: RecordOutcome, request: Request, at: datetime) -> NewMessage | None:
        client = await until_done("database", lambda: self._client(request.client_id), self.health)
        if client is None:
            words = f"no client {request.client_id!r} is configured, and no source belongs to it"
            outcome.refuse(words, {"path": "$.clientId"})
            return None
        message = new_message(request, client, at)
        if isinstance(message, Error):
            path = "$.sendBefore" if message.reason == "expired" else "$.channel"
            outcome.refuse(message.text or message.reason, {"path": path})
            return failed_message(request, message, at)
        return message

    async def _client(self, client_id: str) -> Client | None:
        try:
            return await self.clients.client(client_id)
        except UnknownClient:
            return None
