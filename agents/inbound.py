"""Webhooks from `webhooks.received`, normalized by their adapters, into events."""

from typing import Any

from adapters import interpret
from adapters.base import Request, Unprocessable
from agents.health import Health
from agents.outcome import Outcome, outcome_of
from agents.storable import Refused
from app.sending.consent import learned
from sql import Bad
from webhooks.record import Webhook, decode


def prepare(record: Any, health: Health, most: int) -> Outcome:
    """The outcome of a record, whatever is in it. Events of unknown kinds are counted in the health."""
    outcome = outcome_of(record, read, most)
    for event, _, _, _ in outcome.rows:
        if event.type == "ProviderEventReceived":
            health.drift.note(event.source, event.payload.get("providerStatus"))
    return outcome


def read(outcome: Outcome) -> None:
    """Read one. Raises Refused, and whatever an adapter that is at fault raises."""
    outcome.raw = value = outcome.record.value
    try:
        webhook = decode(value)
    except ValueError as error:
        raise Refused(str(error)) from error
    outcome.received = webhook.received_at.timestamp()
    outcome.source, outcome.webhook_id = webhook.source, webhook.id
    try:
        normalized = interpret(_request(webhook), webhook.adapter)
    except Unprocessable as error:
        raise Refused(str(error)) from error
    outcome.bad = [Bad(ordinal, reason, item) for ordinal, (item, reason) in enumerate(normalized.unprocessable)]
    outcome.rows = [
        (each, webhook.client, webhook.received_at, webhook.id)
        for event in normalized.events
        for each in (event, *learned(event))
    ]


def _request(webhook: Webhook) -> Request:
    return Request(
        method=webhook.method,
        url=webhook.url,
        headers=webhook.headers,
        body=webhook.body,
        received_at=webhook.received_at,
        source=webhook.source,
    )
