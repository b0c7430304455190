"""Webhooks from `webhooks.received`, normalized by their adapters, into events."""

from collections.abc import Sequence
from typing import Any

import structlog

from adapters import interpret
from adapters.base import Request, Unprocessable
from agents.batches import timestamp_of
from agents.health import Health
from agents.once import once_in
from agents.pipeline import Entry, letter_of
from agents.tracing import process
from app.sending.consent import learned
from schemas.events import Event
from sql import Row
from webhooks.record import Webhook, decode

log = structlog.get_logger(__name__)


def prepare(records: Sequence[Any], health: Health) -> list[Entry]:
    """One entry a record, whatever is in it."""
    return [_entry(record, health) for record in records]


def _entry(record: Any, health: Health) -> Entry:
    try:
        webhook = decode(record.value or b"")
    except ValueError as error:
        return Entry(record, timestamp_of(record), record.value, [], [letter_of(record, str(error))])
    entry = Entry(record, webhook.received_at.timestamp(), record.value, span=process(record))
    try:
        request = _request(webhook)
        entry.once = once_in(webhook, request)
        normalized = interpret(request, webhook.adapter)
    except Unprocessable as error:
        entry.dead.append(_letter(record, webhook, str(error)))
        return entry
    except (
        Exception
    ) as error:  # a fault of the adapter must not stop the partition; the letter can be replayed once mended
        log.exception("adapter failed", adapter=webhook.adapter, webhook_id=webhook.id)
        entry.dead.append(_letter(record, webhook, f"the adapter failed: {type(error).__name__}: {error}"))
        return entry
    entry.rows = [_row(each, webhook, health) for event in normalized.events for each in (event, *learned(event))]
    entry.dead = [
        _letter(record, webhook, reason, ordinal=ordinal, detail=item)
        for ordinal, (item, reason) in enumerate(normalized.unprocessable)
    ]
    return entry


def _request(webhook: Webhook) -> Request:
    return Request(
        method=webhook.method,
        url=webhook.url,
        headers=webhook.headers,
        body=webhook.body,
        received_at=webhook.received_at,
        source=webhook.source,
    )


def _row(event: Event, webhook: Webhook, health: Health) -> Row:
    if event.type == "ProviderEventReceived":
        health.drift.note(webhook.source, event.payload.get("providerStatus"))
    return (event, webhook.client, webhook.received_at, webhook.id)


def _letter(record: Any, webhook: Webhook, reason: str, **more: Any) -> Any:
    return letter_of(record, reason, source=webhook.source, webhook_id=webhook.id, **more)
