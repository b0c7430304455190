"""Reads webhooks from `webhooks.received` and normalizes them to events with their adapters."""

from collections.abc import Awaitable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from adapters import ADAPTERS, kept, normalized
from adapters.contract import Request, Unprocessable, names_a_job
from agents.health import WorkerHealth
from agents.records.large import LargeRecords
from agents.records.once import once_in
from agents.records.outcome import Making, RecordOutcome, outcome_of
from agents.records.storable import Refused
from app.implied import with_implied
from schemas.events import Event
from sql import Bad
from webhooks.recognise import ENVELOPE
from webhooks.record import Webhook, decode, is_large

Jobs = Mapping[str, frozenset[str]]


def prepare(
    record: Any,
    health: WorkerHealth,
    most: int,
    accounts: Mapping[str, str] = MappingProxyType({}),
    jobs: Jobs = MappingProxyType({}),
) -> RecordOutcome:
    """Return the outcome of a single record, made by the steps that `begin` returns."""
    return outcome_of(record, partial(read, health=health, accounts=accounts, jobs=jobs), most)


def begin(
    record: Any, health: WorkerHealth, most: int, accounts: Mapping[str, str], jobs: Jobs, large: LargeRecords
) -> Making | Awaitable[RecordOutcome]:
    """Return the steps that make the outcome of a record of at most `most` bytes; if its body is kept apart, `large` reads the
    body. Provider events that the adapter does not list are counted in the health.

    `accounts` maps a source to the provider account that the ids in its events belong to, if the account has another name;
    `jobs` maps a source to the channels on which these ids are ids of jobs (`Adapter.job_ids`).
    """
    reads = partial(read, health=health, accounts=accounts, jobs=jobs)
    if is_large(record):
        return large.outcome(record, lambda outcome, body: reads(outcome, body=body))
    return Making(record, reads, most)


def of_account(event: Event, accounts: Mapping[str, str], jobs: Jobs = MappingProxyType({})) -> Event:
    """Return the event with its provider set to the account that its source belongs to, if any, and with `per_recipient`
    set if its source's adapter has ids of jobs on the event's channel. This is also needed for events of services and relays,
    which use the provider's ids too."""
    event.per_recipient = event.per_recipient or names_a_job(event, _job_ids(event.source, jobs))
    if accounts and (account := accounts.get(event.provider or event.source)) is not None:
        event.provider = account
    return event


def _job_ids(source: str, jobs: Jobs) -> frozenset[str]:
    """Return the channels on which a source's ids are those of jobs. For a source that is not configured, the adapter
    of the same name decides."""
    known = jobs.get(source)
    if known is None and source in ADAPTERS:
        return ADAPTERS[source].job_ids
    return known or frozenset()


def read(
    outcome: RecordOutcome, health: WorkerHealth, accounts: Mapping[str, str], jobs: Jobs, body: bytes | None = None
) -> Iterator[None]:
    """Read a webhook into the outcome, in steps; `body` is its body if that is kept apart. Raises Refused, and whatever a faulty
    adapter raises."""
    outcome.raw = value = outcome.record.value
    try:
        webhook = decode(value)
    except ValueError as error:
        raise Refused(str(error)) from error
    outcome.received = webhook.received_at.timestamp()
    outcome.source, outcome.webhook_id, outcome.client = webhook.source, webhook.id, webhook.client
    if webhook.blob is not None:
        if body is None:
            raise Refused("its body is kept apart, and no store of blobs is configured")
        webhook.body, outcome.blob = body, webhook.blob.name
    yield
    try:
        request = _request(webhook)
        outcome.once = once_in(webhook, request)
        adapter = ADAPTERS[webhook.adapter]
        found = normalized(request, adapter)
        yield
        found = kept(found, request, adapter)
    except Unprocessable as error:
        raise Refused(str(error)) from error
    yield
    outcome.bad = [Bad(ordinal, reason, item) for ordinal, (item, reason) in enumerate(found.unprocessable)]
    events = [of_account(event, accounts, jobs) for event in found.events]
    # An envelope is a statement of the client's own service.
    stated = with_implied(events, "client_api" if webhook.adapter == ENVELOPE else "provider_states_both")
    outcome.rows = [(each, webhook.client, webhook.received_at, webhook.id) for each in stated]
    _note(stated, adapter.unmapped, health)


def _note(events: Iterable[Event], unmapped: frozenset[str], health: WorkerHealth) -> None:
    for event in events:
        if event.type == "ProviderEventReceived":
            word = event.payload.get("providerStatus")
            if word not in unmapped:
                health.drift.note(event.source, word)


def _request(webhook: Webhook) -> Request:
    return Request(
        method=webhook.method,
        url=webhook.url,
        headers=webhook.headers,
        body=webhook.body,
        received_at=webhook.received_at,
        source=webhook.source,
    )
